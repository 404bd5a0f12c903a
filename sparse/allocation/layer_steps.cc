#include "twofour/sparse/allocation/layer_steps.h"

#include <algorithm>
#include <cmath>

#include "twofour/core/ceil_div.h"

namespace twofour::sparse {
namespace {

using Kind = MaskFormat::Kind;

/// A sparsity that is computed, or typed with six digits, is off by a small part of a step.
constexpr double kOff = 1e-4;

int64_t RoundedDown(double steps) { return static_cast<int64_t>(std::floor(steps + kOff)); }
int64_t RoundedUp(double steps) { return static_cast<int64_t>(std::ceil(steps - kOff)); }

/// How many of a budget's groups the layer has.
int64_t Groups(const LayerShape& shape, const PruningPattern& pattern) {
  if (pattern.format.kind == Kind::kBlocks) {
    return CeilDiv(shape.rows, pattern.format.block_rows) * CeilDiv(shape.cols, pattern.format.block_cols);
  }
  return pattern.scope == PruningScope::kRow ? shape.cols : shape.rows * shape.cols;
}

}  // namespace

bool HasOneSparsity(const PruningPattern& pattern) {
  return pattern.format.kind == Kind::kTransposable || pattern.format.is_vnm();
}

bool IsSameSparsity(double a, double b) { return std::fabs(a - b) <= 1e-6; }

int64_t StepRange::lowest() const { return RoundedDown(from); }
int64_t StepRange::highest() const { return RoundedUp(to); }
int64_t StepRange::low() const { return std::min(RoundedUp(from), high()); }
int64_t StepRange::high() const { return RoundedDown(to); }

LayerSteps::LayerSteps(const LayerShape& shape, const PruningPattern& pattern)
    : pattern_(pattern), rows_(shape.rows), cols_(shape.cols), most_(1), all_(1 / pattern.Sparsity()) {
  if (HasOneSparsity(pattern)) return;
  const int64_t all = pattern.has_budget() ? Groups(shape, pattern) : pattern.format.m;
  most_ = all - 1;
  all_ = static_cast<double>(all);
}

double LayerSteps::Dropped(int64_t steps) const {
  if (pattern_.format.kind != Kind::kRows) return static_cast<double>(steps) * (entries() / all_);
  const int64_t m = pattern_.format.m, rest = cols_ % m;
  // The last group has `rest` entries and may keep as many as the others, so it loses some only after m - rest steps.
  return static_cast<double>(rows_ * (cols_ / m * steps + std::max<int64_t>(0, steps - (m - rest)) * (rest > 0)));
}

double LayerSteps::Dropped(double steps) const {
  const double whole = std::floor(steps), below = Dropped(static_cast<int64_t>(whole));
  return steps == whole ? below : std::lerp(below, Dropped(static_cast<int64_t>(whole) + 1), steps - whole);
}

double LayerSteps::LargestStep() const {
  // A shorter group takes part in the last ones only.
  return most_ == 0 ? 0 : Dropped(most_) - Dropped(most_ - 1);
}

StepRange LayerSteps::Within(double min, double max) const {
  const double most = static_cast<double>(most_);
  if (pattern_.has_budget()) return {.from = std::min(At(min), most), .to = std::min(At(max), most)};
  return {.from = static_cast<double>(RoundedUp(At(min))),
          .to = std::min(static_cast<double>(RoundedDown(At(max))), most)};
}

std::optional<PruningPattern> LayerSteps::PatternAt(int64_t steps) const {
  if (steps == 0) return std::nullopt;
  PruningPattern pattern = pattern_;
  if (pattern.has_budget()) pattern.sparsity = Sparsity(static_cast<double>(steps));
  if (pattern.format.kind == Kind::kRows) pattern.format.n = pattern.format.m - static_cast<int>(steps);
  return pattern;
}

}  // namespace twofour::sparse
