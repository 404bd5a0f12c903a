#include "twofour/sparse/mask_tracker.h"

#include <algorithm>
#include <utility>

namespace twofour::sparse {

void Check(const MaskTrackerOptions& options, const FieldPath& at, Faults& faults) {
  faults.InRange(at("interval"), options.interval, 1, kMaxCount);
  faults.Between(at("interval_growth"), options.interval_growth, 0, 1);
  const int64_t freeze = options.freeze_step.value_or(0);
  faults.Expect(freeze >= 0, at("freeze_step"), freeze, "at least 0");
}

MaskTracker::MaskTracker(MaskTrackerOptions options, std::string name)
    : options_(Checked(options, "SemiSparseLinear: ")), name_(std::move(name)) {}

void MaskTracker::SetOptimizerStep(int64_t step) {
  step_ = step;
  told_step_ = true;
}

int64_t MaskTracker::PlanStep() const {
  return frozen() && !options_.plan.KeepsAll(step_) ? *options_.freeze_step : step_;
}

int64_t MaskTracker::Interval() const {
  const auto step = static_cast<double>(PlanStep());
  return std::max(options_.interval, static_cast<int64_t>(options_.interval_growth * step));
}

bool MaskTracker::IsDue(uint64_t version) const {
  if (mask_.empty()) return true;
  const MaskPlan& plan = options_.plan;
  // Dense phases and stages begin and end at once, whatever the interval; a mask that was restored for this step
  // stands.
  if (plan.KeepsAll(step_)) return !keeps_all_ && mask_step_ != step_;
  if (keeps_all_ && mask_step_ != step_) return true;
  if (frozen()) return mask_step_ < *options_.freeze_step;
  if (plan.KeptOfFour(step_) != plan.KeptOfFour(mask_step_)) return true;
  const int64_t interval = Interval();
  if (interval > 1 && told_step_) return step_ - mask_step_ >= interval;
  return static_cast<int64_t>(AgeAt(version)) >= interval || !plan.AsksTheSame(mask_step_, step_);
}

bool MaskTracker::Refresh(const Tensor& scores, uint64_t version) {
  if (!IsDue(version)) return false;
  Mask found = options_.plan.Find(scores, PlanStep(), options_.key, name_);
  flip_rate_ = mask_.empty() ? 0.0 : FlipRate(mask_, found);
  SetMask(std::move(found));
  mask_version_ = version;
  mask_step_ = step_;
  return true;
}

double MaskTracker::flip_rate() const {
  const bool at_rest = frozen() || options_.plan.KeepsAll(step_);
  return at_rest && step_ != mask_step_ ? 0.0 : flip_rate_;
}

void MaskTracker::SetMask(Mask mask) {
  mask_ = std::move(mask);
  keeps_all_ = mask_.CountKept() == mask_.rows() * mask_.cols();
}

void MaskTracker::RestoreMask(Mask mask, uint64_t version) {
  const bool forget = mask.empty();
  SetMask(std::move(mask));
  if (forget) {
    mask_step_ = 0;
    flip_rate_ = 0;
    return;
  }
  mask_version_ = version;
  mask_step_ = step_;
}

void MaskTracker::RestoreStep(int64_t step) {
  step_ = mask_step_ = step;
  told_step_ = told_step_ || step > 0;
}

void MaskTracker::RestoreAge(uint64_t age, uint64_t version) {
  mask_version_ = version - age;  // Unsigned arithmetic wraps: only the difference of two versions is ever looked at.
}

}  // namespace twofour::sparse
