#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "twofour/core/faults.h"
#include "twofour/core/random.h"
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

  // What a resumed run must be told: the mask in force, the step and the version of the weight at which it was found,
  // and what it changed.

  int64_t mask_step() const { return mask_step_; }
  /// Writes to the weight since the mask was found.
  uint64_t AgeAt(uint64_t version) const { return version - mask_version_; }
  /// The last refresh's, whatever is to come.
  double last_flip_rate() const { return flip_rate_; }

  /// Takes over a mask that was found elsewhere, as that of this moment. Empty: as if there had been none.
  void RestoreMask(Mask mask, uint64_t version);
  /// Until somebody tells of the step, the mask that was restored is in force.
  void RestoreStep(int64_t step);
  void RestoreAge(uint64_t age, uint64_t version);
  void RestoreFlipRate(double flip_rate) { flip_rate_ = flip_rate; }

 private:
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
