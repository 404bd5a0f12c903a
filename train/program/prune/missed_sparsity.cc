#include "twofour/train/program/prune/missed_sparsity.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <utility>

#include "twofour/nn/name_choice.h"
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

/// The first few; of the others, how many there are.
std::vector<std::string> FirstOf(std::vector<std::string> notes) {
  if (notes.size() <= kMostNotes) return notes;
  const size_t others = notes.size() - kMostNotes;
  notes.resize(kMostNotes);
  notes.push_back(fmt::format("so it is with {} more linears", others));
  return notes;
}

}  // namespace

bool MissesItsPattern(const nn::PrunedLinear& linear) {
  return linear.pattern.scope != sparse::PruningScope::kModel &&
         std::fabs(linear.sparsity - linear.pattern.Sparsity()) > kMuchOfALinear;
}

std::vector<std::string> NotesOnMissedPatterns(const std::vector<nn::PrunedLinear>& linears) {
  std::vector<std::string> notes;
  for (const nn::PrunedLinear& linear : linears) {
    if (MissesItsPattern(linear)) notes.push_back(NoteOn(linear));
  }
  return FirstOf(std::move(notes));
}

std::vector<std::string> NotesOnEmptied(const std::vector<nn::PrunedLinear>& linears) {
  std::vector<std::string> notes;
  for (const nn::PrunedLinear& linear : linears) {
    if (linear.mask.CountKept() > 0 || MissesItsPattern(linear)) continue;
    notes.push_back(fmt::format("{}: all of its weights are dropped", linear.name));
  }
  return FirstOf(std::move(notes));
}

std::vector<std::string> NotesOnSkipped(const std::string& include, const std::string& exclude,
                                        const std::vector<nn::SwapEntry>& kept_dense) {
  const nn::NameChoice chosen(include, exclude);
  std::vector<std::string> notes;
  for (const nn::SwapEntry& entry : kept_dense) {
    if (!chosen.ReasonAgainst(entry.name).empty()) continue;
    notes.push_back(fmt::format("{} stays dense: {}", entry.name, entry.reason));
  }
  return FirstOf(std::move(notes));
}

std::string NoteOnMissedTarget(size_t linears, double sparsity, double target) {
  if (std::fabs(sparsity - target) <= kMuchOfAll) return {};
  return fmt::format("the {} linears together lose {:.2f} of their weights instead of {:.2f}", linears, sparsity,
                     target);
}

}  // namespace twofour::train
