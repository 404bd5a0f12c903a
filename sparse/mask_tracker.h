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

/// When the mask of a weight is searched for again.
struct MaskTrackerOptions {
  /// Which mask the weight has at which optimizer step.
  MaskPlan plan = {};
  /// The mask is searched for again at the first use after this many updates of the weight, ...
  int64_t interval = 1;
  /// ... or, if that is more, after this share of all optimizer steps so far, so that searches become rarer. From 0 to
  /// 1.
  double interval_growth = 0;
  /// After this optimizer step the mask stays as it is, except for the plan's dense finish. 0: the first mask stays.
  std::optional<int64_t> freeze_step = {};
  /// For the plan's random choices.
  RandomKey key = {};
  /// Off: no mask is searched for. Everything is kept until MaskTracker::GiveMask gives a mask, which stays until it
  /// gives another.
  bool searches = true;
};

/// Rules: interval at least 1, growth from 0 to 1, no freeze before step 0.
void Check(const MaskTrackerOptions& options, const FieldPath& at, Faults& faults);

/// The number of optimizer steps from one search to the next at `step`: the interval, or the share `growth` of all
/// steps so far if that is more.
int64_t IntervalAt(int64_t interval, double growth, int64_t step);

/// The mask of one weight in training. The mask is a pure function of the scores and the optimizer step at its last
/// refresh, for the same options. A refresh is due after every `interval`-th optimizer step, and when the plan enters
/// another stage or a dense phase, leaves a dense phase, or comes to the end of its schedule. If the interval in force
/// is 1, or if SetOptimizerStep has not been called yet, writes to the weight count instead of steps, and a refresh is
/// also due when the plan's share changes. Not for use by several threads at once.
class MaskTracker {
 public:
  /// `name` is the weight's name, for messages. Throws Error on options that Check finds fault with.
  MaskTracker(MaskTrackerOptions options, std::string name);

  const MaskTrackerOptions& options() const { return options_; }
  const std::string& name() const { return name_; }
  /// Tells how many optimizer steps the weight has had. Plans and options that depend on steps need this.
  void SetOptimizerStep(int64_t step);

  /// A refresh is due at the next use, unless masks are frozen: the mask in force is another plan's.
  void SearchAnew() { outdated_ = true; }

  /// Whether a weight of this version (Tensor::version) needs another mask than the one in force.
  bool IsDue(uint64_t version) const;
  /// If a refresh is due for `version`, finds the mask for f32 `scores`. Returns whether it did. `version` is always
  /// the weight's, even if the scores are another tensor: it counts the writes to the weight. Throws Error as
  /// MaskPlan::Find does.
  bool Refresh(const Tensor& scores, uint64_t version);
  /// As Refresh, with the mask that another process has found for the same weight at the same step.
  void Adopt(Mask found, uint64_t version);
  /// Puts a mask of the weight in force that was found elsewhere. It counts as found at this step, for a weight of this
  /// version.
  void GiveMask(Mask mask, uint64_t version);

  /// The mask in force; empty before the first search.
  const Mask& mask() const { return mask_; }
  /// The V:N:M pattern of that mask, if the plan asked for one.
  const std::optional<VnmPattern>& vnm() const { return vnm_; }
  /// Whether it keeps everything.
  bool keeps_all() const { return keeps_all_; }
  /// Whether the freeze step is reached: only the mask of that step may still be searched for.
  bool frozen() const { return options_.freeze_step && step_ >= *options_.freeze_step; }
  /// Share of mask entries that the last refresh changed. 0 before the second refresh, and in steps without a refresh
  /// while the mask is frozen or the plan is dense.
  double flip_rate() const;
  /// Likewise the share of a V:N:M mask's blocks that keep other columns than before the last refresh (ColumnFlipRate).
  /// Nothing for other masks, and while everything is kept.
  std::optional<double> column_flip_rate() const;

  /// Appends what a resumed run needs, for a weight of this version whose name is `weight`: `<weight>_mask` (bool
  /// [rows, cols]), `<weight>_mask_age` (i32 []: writes to the weight since the mask was found), `<weight>_mask_step`
  /// (f64 []: the optimizer step at which it was found), `<weight>_mask_flip_rate` (f64 []: the share of entries that
  /// the last refresh changed) and, for V:N:M, `<weight>_mask_column_flip_rate` (f64 []: the same of blocks).
  void AppendState(const std::string& weight, uint64_t version, std::vector<NamedTensor>& state) const;
  /// Reads what AppendState wrote, for a weight of this shape, and changes nothing yet. Call the commit with the
  /// weight's version. Where masks are searched for, a mask may not keep more than the plan's masks of some step
  /// (WhyKeepsTooMuch). A mask without a step counts as found at this moment. Without a mask, the tracker finds one at
  /// its next use; but an age or a step without a mask is a fault. Until somebody calls SetOptimizerStep, a mask that
  /// was read stays in force. If that step lies after the freeze step, it stays for good, although a run of another
  /// length may have frozen it earlier; but a mask that keeps more than the plan's at the freeze step is found anew.
  std::function<void(uint64_t version)> ReadState(const std::string& weight, const Shape& shape, StateReader& reader);

 private:
  /// The V:N:M pattern that the plan asks for at the step of the mask in force, if that is one.
  std::optional<VnmPattern> AskedVnm() const;
  /// The same where the mask in force has that pattern. One that was found elsewhere may be of another stage, or of a
  /// plan that was changed: products must not rely on its pattern then.
  std::optional<VnmPattern> VnmOfMask() const;
  /// Writes to the weight since the mask was found.
  uint64_t AgeAt(uint64_t version) const { return version - mask_version_; }
  /// Sets a mask that was found elsewhere. It counts as found at this moment.
  void RestoreMask(Mask mask, uint64_t version);
  /// The step for which the plan is asked. This is the current step, unless the mask is frozen and the plan is not in a
  /// dense phase. Then it is the freeze step.
  int64_t PlanStep() const;
  void SetMask(Mask mask);
  /// Whether the mask stays as it is at this step, although it may have been found earlier.
  bool IsAtRest() const;

  MaskTrackerOptions options_;
  std::string name_;
  int64_t step_ = 0;
  bool told_step_ = false;
  Mask mask_;
  std::optional<VnmPattern> vnm_;
  bool keeps_all_ = false;
  bool outdated_ = false;
  bool restored_ = false;  // By ReadState, and the step is not yet known.
  int64_t mask_step_ = 0;
  uint64_t mask_version_ = 0;  // The weight's version when the mask was found.
  double flip_rate_ = 0, column_flip_rate_ = 0;
};

}  // namespace twofour::sparse
