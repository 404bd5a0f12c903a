#include "twofour/train/program/prune/missed_sparsity.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>

#include "twofour/sparse/budget_fit.h"

namespace twofour::train {
namespace {

constexpr double kMuchOfALinear = 0.05, kMuchOfAll = 0.02;
constexpr size_t kMostNotes = 5;

std::string NoteOn(const nn::PrunedLinear& linear) {
  const bool blocks = linear.pattern.format.kind == sparse::MaskFormat::Kind::kBlocks;
  const sparse::BudgetParts parts =
      blocks ? sparse::CountParts(linear.mask, linear.pattern)
             : sparse::BudgetParts{linear.mask.CountKept(), linear.out_features * linear.in_features};
  return fmt::format("{}: {} drops {} of its {} {}, {:.2f} instead of {:.2f}", linear.name, linear.pattern.ToString(),
                     parts.count - parts.kept, parts.count, blocks ? "blocks" : "weights", linear.sparsity,
                     linear.pattern.Sparsity());
}

}  // namespace

bool MissesItsPattern(const nn::PrunedLinear& linear) {
  return linear.pattern.scope != sparse::PruningScope::kModel &&
         std::fabs(linear.sparsity - linear.pattern.Sparsity()) > kMuchOfALinear;
}

std::vector<std::string> NotesOnMissedPatterns(const std::vector<nn::PrunedLinear>& linears) {
  std::vector<std::string> notes;
  size_t others = 0;
  for (const nn::PrunedLinear& linear : linears) {
    if (!MissesItsPattern(linear)) continue;
    if (notes.size() < kMostNotes) {
      notes.push_back(NoteOn(linear));
    } else {
      ++others;
    }
  }
  if (others > 0) notes.push_back(fmt::format("so it is with {} more linears", others));
  return notes;
}

std::string NoteOnMissedTarget(size_t linears, double sparsity, double target) {
  if (std::fabs(sparsity - target) <= kMuchOfAll) return {};
  return fmt::format("the {} linears together lose {:.2f} of their weights instead of {:.2f}", linears, sparsity,
                     target);
}

}  // namespace twofour::train
