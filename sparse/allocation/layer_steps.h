#pragma once

#include <cstdint>
#include <optional>

#include "twofour/sparse/allocation/allocation.h"
#include "twofour/sparse/pruning_pattern.h"

namespace twofour::sparse {

/// Whether a layer can have this pattern with one sparsity alone: transposable and V:N:M.
bool HasOneSparsity(const PruningPattern& pattern);

/// Whether they are equal but for the digits that a user would not type, as of 5/7.
bool IsSameSparsity(double a, double b);

/// Steps between two bounds. They need not be whole ones for a pattern with a budget.
struct StepRange {
  double from = 0, to = 0;  ///< None if from > to.
  /// The least and the most whole steps that are less than one from them.
  int64_t lowest() const;
  int64_t highest() const;
  /// The same without passing a bound. If no whole step lies between the bounds, `low` and `high` are both the one
  /// below.
  int64_t low() const;
  int64_t high() const;
};

/// The steps in which one layer gets sparser. After 0 steps it is dense. The shape must have entries, the pattern be a
/// sound one. Any number of threads may use it.
class LayerSteps {
 public:
  LayerSteps(const LayerShape& shape, const PruningPattern& pattern);

  /// The most steps that a layer can take without being dropped as a whole.
  int64_t most() const { return most_; }
  double entries() const { return static_cast<double>(rows_ * cols_); }
  /// Entries that are dropped after so many steps; between whole ones, on a straight line.
  double Dropped(int64_t steps) const;
  double Dropped(double steps) const;
  /// Entries that the largest step drops; 0 if there is none.
  double LargestStep() const;
  /// The sparsity of the pattern after so many steps, and the reverse.
  double Sparsity(double steps) const { return steps / all_; }
  double At(double sparsity) const { return sparsity * all_; }
  /// Those whose sparsity is within the bounds.
  StepRange Within(double min, double max) const;
  std::optional<PruningPattern> PatternAt(int64_t steps) const;

 private:
  PruningPattern pattern_;
  int64_t rows_, cols_, most_;
  double all_;  ///< At so many steps the sparsity would be 1. Not a whole number if there is but one step.
};

}  // namespace twofour::sparse
