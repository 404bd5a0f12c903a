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
#include "twofour/sparse/row_mask.h"
#include "twofour/sparse/schedule.h"

namespace twofour::sparse {

/// From optimizer step `step` on, `keep` entries of four are kept in each row and column of a pruned tile.
struct MaskStage {
  int64_t step = 0;
  int keep = 2;
  std::optional<double> fraction = {};  ///< See Moment. Of stages that begin in one step, the last one counts.
};

struct MaskPlanOptions {
  MaskMethod method = MaskMethod::kExact;
  RowPattern rows = {};            ///< Of kRows.
  SparsitySchedule schedule = {};  ///< The share of tiles that are pruned.
  TileOrder order = TileOrder::kLeastLoss;
  /// N-decay (4:4, 3:4, 2:4): rising steps, falling numbers; four of four before the first. Empty: 2:4 throughout. Of
  /// kExact alone.
  std::vector<MaskStage> stages = {};
  /// Before the one and from the other optimizer step on, every mask keeps everything: a dense warm-up and a dense
  /// finish.
  int64_t first_sparse_step = 0;
  int64_t dense_from_step = std::numeric_limits<int64_t>::max();
  /// A stage's mask is the best within the one that the stage before it would find for the same weight.
  bool nested_stages = false;
};

/// A RowPattern within its bounds; stages that rise in time, fall in number, keep one to four, and stand beside kExact
/// alone; a dense finish that does not begin before the dense warm-up ends. A stage before step 0 is a fault, and no
/// other is compared with it in time.
void Check(const MaskPlanOptions& options, const FieldPath& at, Faults& faults);

/// Which mask a weight has at which step of training: a recipe without state. What is kept depends on the weight, the
/// step and the key, so a resumed run finds the masks that the uninterrupted run would have found.
class MaskPlan {
 public:
  /// The exact transposable mask, always.
  MaskPlan() = default;
  /// Throws Error on options that Check finds fault with.
  explicit MaskPlan(MaskPlanOptions options);

  /// The share of tiles that are pruned at `step`: the schedule's, and 0 outside of the sparse steps.
  double ShareAt(int64_t step) const;
  /// Whether a mask of `step` keeps everything, whatever the weight.
  bool KeepsAll(int64_t step) const;
  /// The mask by f32 `scores` [rows, cols] at `step`: for magnitude pruning they are the weight. Random choices go by
  /// the key's seed and stream. Throws Error as FindMask and FindRowMask do.
  Mask Find(const Tensor& scores, int64_t step, const RandomKey& key, std::string_view name) const;
  /// Whether the plan asks for the same share and stage at both steps: if not, a mask of the one is out of date at the
  /// other, whatever the weight did.
  bool AsksTheSame(int64_t step, int64_t other) const;
  /// What the masks of `step` keep of pruned tiles: n of 4 both ways, or the pattern along rows.
  MaskFormat PatternAt(int64_t step) const;
  /// Whether every mask is 2:4 both ways, at all steps.
  bool AlwaysTwoOfFour() const;
  /// What searches for the plan's masks: the name of a MaskSearchKernel, or in words where there is none but scalar
  /// code; in the order of the stages, several of them separated by commas. Throws Error as ChooseMaskSearchKernel.
  std::string SearchNames() const;
  /// Of four entries in a row or column of a pruned tile, how many are kept at `step`.
  int KeptOfFour(int64_t step) const;

  const MaskPlanOptions& options() const { return options_; }

 private:
  /// Throws Error unless scores of this shape can have a mask: transposable masks are made of whole tiles.
  void RequireSize(const Tensor& scores, std::string_view name) const;
  Mask FindWhole(const Tensor& scores, int64_t step, const RandomKey& key, std::string_view name) const;

  MaskPlanOptions options_;
};

}  // namespace twofour::sparse
