#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/faults.h"
#include "twofour/core/random.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/partial_mask.h"
#include "twofour/sparse/pruning_pattern.h"
#include "twofour/sparse/row_mask.h"
#include "twofour/sparse/schedule.h"
#include "twofour/sparse/vnm.h"
#include "twofour/sparse/vnm_column_choice.h"

namespace twofour::sparse {

/// From optimizer step `step` on, `keep` entries of four are kept in each row and column of a pruned tile, or blocks of
/// a V:N:M mask have `m` columns.
struct MaskStage {
  int64_t step = 0;
  int keep = 2;
  std::optional<double> fraction = {};  ///< See Moment. If several stages begin at one step, the last one counts.
  int m = 0;                            ///< Only for kVnm. 4 stands for 2:4.
};

struct MaskPlanOptions {
  MaskMethod method = MaskMethod::kExact;
  RowPattern rows = {};  ///< Only for kRows.
  VnmPattern vnm = {};   ///< Only for kVnm.
  /// How the columns of `vnm` are chosen.
  VnmColumnChoice columns = VnmColumnChoice::kSums;
  PruningPattern pattern = {};  ///< Only for kPattern.
  /// The share of tiles that are pruned. For a pattern with a budget, the share of it that is spent: with a cubic
  /// shape, gradual magnitude pruning (Zhu and Gupta, "To prune, or not to prune", 2017).
  SparsitySchedule schedule = {};
  TileOrder order = TileOrder::kLeastLoss;
  /// For kExact, N-decay (4:4, 3:4, 2:4): steps rise, numbers fall. For kVnm, M rises to that of `vnm`. Before the
  /// first stage, everything is kept. Empty: one pattern throughout.
  std::vector<MaskStage> stages = {};
  /// Masks keep everything before first_sparse_step (a dense warm-up) and from dense_from_step on (a dense finish).
  int64_t first_sparse_step = 0;
  int64_t dense_from_step = std::numeric_limits<int64_t>::max();
  /// A stage's mask is the best one inside the mask that the stage before it would find for the same weight.
  bool nested_stages = false;
};

/// Rules: a RowPattern is valid, and given for kRows alone; so is a VnmPattern for kVnm with its choice of columns
/// (CheckChoice), and a schedule beside it prunes all tiles from the start. The same is true of a
/// PruningPattern of V:N:M. A PruningPattern is valid, has a scope within a weight, is given for kPattern alone, and
/// knows no order of tiles if it has a budget. Stages are given for kExact and kVnm
/// alone, and each begins later than the one before. For kExact, they keep one to four, each fewer than the one before.
/// For kVnm, m rises from stage to stage, is from 4 to 32, and ends with that of the VnmPattern. nested_stages needs
/// stages of kExact. The dense finish does not begin before the dense warm-up ends. A stage before step 0 is a fault.
/// No stage is compared with one that has a fault.
void Check(const MaskPlanOptions& options, const FieldPath& at, Faults& faults);

/// Which mask a weight has at which step of training. A plan has no state: the mask depends on the weight, the step and
/// the key alone. So a resumed run finds the masks that the uninterrupted run would have found.
class MaskPlan {
 public:
  /// The exact transposable mask, always.
  MaskPlan() = default;
  /// Throws Error on options that Check finds fault with.
  explicit MaskPlan(MaskPlanOptions options);

  /// Whether `step` lies between the dense phases.
  bool IsSparse(int64_t step) const { return step >= options_.first_sparse_step && step < options_.dense_from_step; }
  /// The share of tiles that are pruned at `step`: what the schedule says, but 0 outside the sparse steps.
  double ShareAt(int64_t step) const;
  /// Whether every mask of `step` keeps everything, whatever the weight.
  bool KeepsAll(int64_t step) const;
  /// The mask for f32 `scores` [rows, cols] at `step`. For magnitude pruning the scores are the weight. Random choices
  /// depend on the key's seed and stream. Throws Error as FindMask, FindRowMask, FindVnmMask and FindMaskOf do.
  Mask Find(const Tensor& scores, int64_t step, const RandomKey& key, std::string_view name) const;
  /// Whether the plan asks for the same share and stage at both steps. If not, a mask of one step is out of date at the
  /// other, even if the weight has not changed.
  bool AsksTheSame(int64_t step, int64_t other) const;
  /// /// The dense warm-up, the schedule and the stages are over at this step: until a dense finish, the plan then asks
  /// for the same.
  int64_t SettlesAt() const;
  /// The plan asks for the same from this step on.
  int64_t LastChange() const;
  /// What the masks of `step` keep in pruned tiles: n of 4 both ways, or the pattern along rows, or V:N:M; for a
  /// budget, what they are made of.
  MaskFormat PatternAt(int64_t step) const;
  /// The share of a weight that the masks of `step` drop, where its size divides.
  double SparsityAt(int64_t step) const;
  /// Whether masks drop a share of a weight that is given by number.
  bool has_budget() const;
  /// The pattern with what the schedule lets it spend at `step`, where there is a budget.
  PruningPattern BudgetAt(int64_t step) const;
  /// Whether every mask is 2:4 both ways, at all steps.
  bool AlwaysTwoOfFour() const;
  /// Names what searches for the plan's masks: a MaskSearchKernel, or words if there is only scalar code. If there are
  /// stages, their searches are listed in order, separated by commas. Throws Error as ChooseMaskSearchKernel does.
  std::string SearchNames() const;
  /// How many of four entries in a row or column of a pruned tile are kept at `step`. For V:N:M, of four columns that
  /// a block keeps.
  int KeptOfFour(int64_t step) const;

  const MaskPlanOptions& options() const { return options_; }

 private:
  /// Throws Error unless scores of this shape can have a mask: transposable masks are made of whole tiles.
  void RequireSize(const Tensor& scores, std::string_view name) const;
  /// The stage that is in force at `step`, or null before the first one.
  const MaskStage* StageAt(int64_t step) const;
  Mask FindWhole(const Tensor& scores, int64_t step, const RandomKey& key, std::string_view name) const;

  MaskPlanOptions options_;
};

}  // namespace twofour::sparse
