#include "twofour/train/program/prune/sensitivity_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "twofour/train/program/prune/pattern_kind.h"

namespace twofour::train {
namespace {

constexpr int kColumn = 9;  // Wide enough for "+10.0000".

std::string ShapeOf(const LinearSensitivity& linear) {
  return fmt::format("[{}, {}]", linear.out_features, linear.in_features);
}

}  // namespace

std::string IncreaseText(const LossOfLevel& level, double dense_loss) {
  return std::isfinite(level.loss) ? fmt::format("{:+.4f}", level.loss - dense_loss) : "nan";
}

std::string LevelText(const sparse::PruningPattern& pattern) { return fmt::format("{:.4g}", pattern.Sparsity()); }

std::string ToLines(const Sensitivity& sensitivity) {
  size_t name = std::string_view("linear").size(), shape = std::string_view("shape").size();
  for (const LinearSensitivity& linear : sensitivity.linears) {
    name = std::max(name, linear.name.size());
    shape = std::max(shape, ShapeOf(linear).size());
  }
  std::string text = fmt::format("{:<{}}  {:<{}}", "linear", name, "shape", shape);
  for (const sparse::PruningPattern& pattern : sensitivity.patterns) {
    text += fmt::format("  {:>{}}", LevelText(pattern), kColumn);
  }
  text += "\n";
  for (const LinearSensitivity& linear : sensitivity.linears) {
    text += fmt::format("{:<{}}  {:<{}}", linear.name, name, ShapeOf(linear), shape);
    for (const LossOfLevel& level : linear.levels) {
      text += fmt::format("  {:>{}}", IncreaseText(level, sensitivity.dense_loss), kColumn);
    }
    text += "\n";
  }
  return text + fmt::format("dense loss: {:.4f}; above: what {} of one linear by {} adds to it, at each sparsity\n",
                            sensitivity.dense_loss, KindText(sensitivity.kind), sensitivity.method);
}

}  // namespace twofour::train
