#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "twofour/core/faults.h"
#include "twofour/core/random.h"
#include "twofour/core/state_reader.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/mask_plan.h"

namespace twofour::sparse {

/// When a weight's mask is found anew.
struct MaskTrackerOptions {
  /// Which mask the weight has at which optimizer step.
  MaskPlan plan = {};
  /// A mask is searched anew at the first use after this many updates of the weight, ...
  int64_t interval = 1;
  /// ... or, where that is more, after this share of all optimizer steps so far: ever more rarely. From 0 to 1.
  double interval_growth = 0;
  /// The mask of this optimizer step is the last one, but for the plan's dense finish; 0: the first one stays.
  std::optional<int64_t> freeze_step = {};
  /// Of the plan's random choices.
  RandomKey key = {};
};

/// An interval of 1 and more, a growth from 0 to 1, and no freeze before step 0.
void Check(const MaskTrackerOptions& options, const FieldPath& at, Faults& faults);

/// The mask of one weight as it is trained. The mask is a pure function of the scores and the optimizer step at its
/// last refresh, and a refresh is due after every `interval`-th optimizer step (as long as nobody tells of steps: write
/// to the weight), and where the plan asks for another share or stage than the mask in force has. Not for use by
/// several threads at once.
class MaskTracker {
 public:
  /// `name` is the weight's, for messages. Throws Error on options that Check finds fault with.
  MaskTracker(MaskTrackerOptions options, std::string name);

  const MaskTrackerOptions& options() const { return options_; }
  /// Tells how many optimizer steps the weight has behind it. Needed by plans and options that go by steps.
  void SetOptimizerStep(int64_t step);

  /// Whether a weight of this version (Tensor::version) needs another mask than the one in force.
  bool IsDue(uint64_t version) const;
  /// Finds the mask by f32 `scores` if it is due for `version`, that of the weight, and returns whether it did. Throws
  /// Error as MaskPlan::Find does.
  bool Refresh(const Tensor& scores, uint64_t version);

  /// The mask in force; empty before any.
  const Mask& mask() const { return mask_; }
  /// Whether it keeps everything.
  bool keeps_all() const { return keeps_all_; }
  /// Whether no mask is searched for any more but that of the freeze step.
  bool frozen() const { return options_.freeze_step && step_ >= *options_.freeze_step; }
  /// Share of mask entries that the last refresh changed; 0 before the second one, and while none is to come (frozen,
  /// or dense for now).
  double flip_rate() const;

  /// Appends what a resumed run needs, for a weight of this version whose name is `weight`: `<weight>_mask` (bool
  /// [rows, cols]), `<weight>_mask_age` (i32 []: writes to the weight since the mask was found), `<weight>_mask_step`
  /// (f64 []: the optimizer step at which it was found) and `<weight>_mask_flip_rate` (f64 []: the share of entries
  /// that the last refresh changed).
  void AppendState(const std::string& weight, uint64_t version, std::vector<NamedTensor>& state) const;
  /// Reads what AppendState wrote, for a weight of this shape, and changes nothing yet. The commit is given the
  /// weight's version. A mask that comes alone counts as found at this moment. Without a mask, the tracker finds one at
  /// its next use. Until somebody calls SetOptimizerStep, a mask that was read stays in force.
  std::function<void(uint64_t version)> ReadState(const std::string& weight, const Shape& shape, StateReader& reader);

 private:
  /// Writes to the weight since the mask was found.
  uint64_t AgeAt(uint64_t version) const { return version - mask_version_; }
  /// Takes over a mask that was found elsewhere, as that of this moment.
  void RestoreMask(Mask mask, uint64_t version);
  /// The step whose mask the plan is asked for.
  int64_t PlanStep() const;
  int64_t Interval() const;
  void SetMask(Mask mask);

  MaskTrackerOptions options_;
  std::string name_;
  int64_t step_ = 0;
  bool told_step_ = false;
  Mask mask_;
  bool keeps_all_ = false;
  int64_t mask_step_ = 0;
  uint64_t mask_version_ = 0;  // The weight's version when the mask was found.
  double flip_rate_ = 0;
};

}  // namespace twofour::sparse
