#include "twofour/train/program/prune/sensitivity_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "twofour/train/program/prune/pattern_kind.h"

namespace twofour::train {
namespace {

constexpr double kMuch = 0.05;

std::string ShapeOf(const LinearSensitivity& linear) {
  return fmt::format("[{}, {}]", linear.out_features, linear.in_features);
}

/// The widest of what a column holds.
size_t ColumnWidth(const Sensitivity& sensitivity) {
  size_t width = std::string_view("+10.0000").size();
  for (const LinearSensitivity& linear : sensitivity.linears) {
    for (const LossOfLevel& level : linear.levels) {
      width = std::max(width, IncreaseText(level, sensitivity.dense_loss).size());
    }
  }
  return width + 1;
}

}  // namespace

bool MissesItsLevel(const LossOfLevel& level) { return std::fabs(level.sparsity - level.pattern.Sparsity()) > kMuch; }

bool AnyMissesItsLevel(const Sensitivity& sensitivity) {
  return std::ranges::any_of(sensitivity.linears, [](const LinearSensitivity& linear) {
    return std::ranges::any_of(linear.levels, MissesItsLevel);
  });
}

std::string IncreaseText(const LossOfLevel& level, double dense_loss) {
  const std::string text = std::isfinite(level.loss) ? fmt::format("{:+.4f}", level.loss - dense_loss) : "nan";
  return MissesItsLevel(level) ? fmt::format("{} ({:.2f})", text, level.sparsity) : text;
}

std::string LevelText(const sparse::PruningPattern& pattern) { return fmt::format("{:.4g}", pattern.Sparsity()); }

std::string ToLines(const Sensitivity& sensitivity) {
  const size_t column = ColumnWidth(sensitivity);
  size_t name = std::string_view("linear").size(), shape = std::string_view("shape").size();
  for (const LinearSensitivity& linear : sensitivity.linears) {
    name = std::max(name, linear.name.size());
    shape = std::max(shape, ShapeOf(linear).size());
  }
  std::string text = fmt::format("{:<{}}  {:<{}}", "linear", name, "shape", shape);
  for (const sparse::PruningPattern& pattern : sensitivity.patterns) {
    text += fmt::format("  {:>{}}", LevelText(pattern), column);
  }
  text += "\n";
  for (const LinearSensitivity& linear : sensitivity.linears) {
    text += fmt::format("{:<{}}  {:<{}}", linear.name, name, ShapeOf(linear), shape);
    for (const LossOfLevel& level : linear.levels) {
      text += fmt::format("  {:>{}}", IncreaseText(level, sensitivity.dense_loss), column);
    }
    text += "\n";
  }
  if (AnyMissesItsLevel(sensitivity)) text += kWhatBracketsAre + "\n";
  return text +
         fmt::format("loss with none pruned: {:.4f}; above: what {} of one linear by {} adds to it, at each sparsity\n",
                     sensitivity.dense_loss, KindText(sensitivity.kind), sensitivity.method);
}

}  // namespace twofour::train
