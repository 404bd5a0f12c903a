#include "twofour/sparse/mask_tracker.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/sparse/column_flip_rate.h"
#include "twofour/sparse/mask_fit.h"
#include "twofour/sparse/vnm_pattern.h"

namespace twofour::sparse {
namespace {

/// The mask that these entries describe. Throws Error unless a weight of this shape can have it under the options.
Mask CheckedMask(const Tensor& entries, const Shape& shape, const MaskTrackerOptions& options) {
  Mask mask = Mask::FromTensor(entries);
  if (Shape{mask.rows(), mask.cols()} != shape) {
    throw Error(fmt::format("shape {}, expected {}", ToString(entries.shape()), ToString(shape)));
  }
  if (!options.searches) return mask;
  const MaskPlan& plan = options.plan;
  const auto tile = mask.FirstTileAboveTwoOfFour();
  if (tile && plan.AlwaysTwoOfFour()) {
    throw Error(fmt::format("tile [{}, {}] keeps more than two of four in a row or column", tile->first, tile->second));
  }
  if (const auto why = WhyKeepsTooMuch(mask, plan)) throw Error(*why);
  return mask;
}

}  // namespace

void Check(const MaskTrackerOptions& options, const FieldPath& at, Faults& faults) {
  faults.InRange(at("interval"), options.interval, 1, kMaxCount);
  faults.Between(at("interval_growth"), options.interval_growth, 0, 1);
  const int64_t freeze = options.freeze_step.value_or(0);
  faults.Expect(freeze >= 0, at("freeze_step"), freeze, "at least 0");
}

int64_t IntervalAt(int64_t interval, double growth, int64_t step) {
  return std::max(interval, static_cast<int64_t>(growth * static_cast<double>(step)));
}

MaskTracker::MaskTracker(MaskTrackerOptions options, std::string name)
    : options_(Checked(options, "SemiSparseLinear: ")), name_(std::move(name)) {}

void MaskTracker::SetOptimizerStep(int64_t step) {
  step_ = step;
  told_step_ = true;
  if (!std::exchange(restored_, false) || !frozen() || step == *options_.freeze_step) return;
  // A mask that fits was frozen before, too, by a freeze step that a run of another length may have had earlier.
  if (WhyKeepsTooMuchAt(mask_, options_.plan, *options_.freeze_step)) {
    mask_step_ = std::min(mask_step_, *options_.freeze_step - 1);
  } else {
    mask_step_ = std::max(mask_step_, *options_.freeze_step);
  }
}

int64_t MaskTracker::PlanStep() const {
  return frozen() && !options_.plan.KeepsAll(step_) ? *options_.freeze_step : step_;
}

std::optional<VnmPattern> MaskTracker::AskedVnm() const {
  const int64_t asked = options_.freeze_step ? std::min(mask_step_, *options_.freeze_step) : mask_step_;
  const MaskFormat pattern = options_.plan.PatternAt(asked);
  return pattern.is_vnm() ? std::optional(pattern.vnm()) : std::nullopt;
}

std::optional<VnmPattern> MaskTracker::VnmOfMask() const {
  if (mask_.empty()) return std::nullopt;
  const std::optional<VnmPattern> asked = AskedVnm();
  return asked && FindVnmViolation(mask_.view(), *asked) ? std::nullopt : asked;
}

bool MaskTracker::IsDue(uint64_t version) const {
  if (mask_.empty()) return true;
  if (!options_.searches) return false;
  const MaskPlan& plan = options_.plan;
  // Dense phases and stages begin and end at once, whatever the interval. But a mask of this very step stays, even if
  // the plan asks for another one: then it was restored and not searched for.
  if (plan.KeepsAll(step_)) return !keeps_all_ && mask_step_ != step_;
  if (keeps_all_ && mask_step_ != step_) return true;
  if (frozen()) return mask_step_ < *options_.freeze_step;
  if (outdated_ || plan.PatternAt(step_) != plan.PatternAt(mask_step_)) return true;
  // However rare searches are, a schedule arrives.
  if (mask_step_ < plan.SettlesAt() && step_ >= plan.SettlesAt()) return true;
  const int64_t interval = IntervalAt(options_.interval, options_.interval_growth, PlanStep());
  if (interval > 1 && told_step_) return step_ - mask_step_ >= interval;
  return static_cast<int64_t>(AgeAt(version)) >= interval || !plan.AsksTheSame(mask_step_, step_);
}

bool MaskTracker::Refresh(const Tensor& scores, uint64_t version) {
  if (!IsDue(version)) return false;
  if (!options_.searches) {
    GiveMask(Mask::FromTensor(Tensor::Full(scores.shape(), 1, DType::kBool)), version);
    return true;
  }
  Adopt(options_.plan.Find(scores, PlanStep(), options_.key, name_), version);
  return true;
}

void MaskTracker::Adopt(Mask found, uint64_t version) {
  if (!options_.searches) return GiveMask(std::move(found), version);
  mask_version_ = version;
  mask_step_ = step_;
  outdated_ = false;
  vnm_ = AskedVnm();
  flip_rate_ = mask_.empty() ? 0.0 : FlipRate(mask_, found);
  column_flip_rate_ = mask_.empty() || !vnm_ ? 0.0 : ColumnFlipRate(mask_, found, *vnm_);
  SetMask(std::move(found));
}

void MaskTracker::GiveMask(Mask mask, uint64_t version) {
  flip_rate_ = mask_.empty() ? 0.0 : FlipRate(mask_, mask);
  RestoreMask(std::move(mask), version);
  vnm_ = VnmOfMask();
}

bool MaskTracker::IsAtRest() const { return (frozen() || options_.plan.KeepsAll(step_)) && step_ != mask_step_; }

double MaskTracker::flip_rate() const { return IsAtRest() ? 0.0 : flip_rate_; }

std::optional<double> MaskTracker::column_flip_rate() const {
  if (!vnm_ || keeps_all_) return std::nullopt;
  return IsAtRest() ? 0.0 : column_flip_rate_;
}

void MaskTracker::SetMask(Mask mask) {
  mask_ = std::move(mask);
  keeps_all_ = mask_.CountKept() == mask_.rows() * mask_.cols();
}

void MaskTracker::RestoreMask(Mask mask, uint64_t version) {
  SetMask(std::move(mask));
  mask_version_ = version;
  mask_step_ = step_;
}

void MaskTracker::AppendState(const std::string& weight, uint64_t version, std::vector<NamedTensor>& state) const {
  const std::string mask = weight + "_mask";
  state.push_back({mask, mask_.ToTensor()});
  state.push_back({mask + "_age", CountTensor(static_cast<int64_t>(AgeAt(version)))});
  state.push_back({mask + "_step", Tensor::Scalar(static_cast<double>(mask_step_), DType::kF64)});
  state.push_back({mask + "_flip_rate", Tensor::Scalar(flip_rate_, DType::kF64)});
  if (vnm_ && !keeps_all_) {
    state.push_back({mask + "_column_flip_rate", Tensor::Scalar(column_flip_rate_, DType::kF64)});
  }
}

std::function<void(uint64_t)> MaskTracker::ReadState(const std::string& weight, const Shape& shape,
                                                     StateReader& reader) {
  const std::string name = weight + "_mask";
  // Whoever writes when a mask was found has the mask.
  if (!reader.Has(name) && (reader.Has(name + "_age") || reader.Has(name + "_step"))) {
    reader.Fault(name, "missing, expected beside its age and step");
  }
  Mask mask;
  if (const Tensor entries = reader.Take(name); entries.defined()) {
    try {
      mask = CheckedMask(entries, shape, options_);
    } catch (const Error& error) {
      reader.Fault(name, error.what());
    }
  }
  constexpr double kMostWrites = std::numeric_limits<int32_t>::max();
  constexpr double kMostSteps = 1e15;  // A double holds every whole number up to here.
  const auto age =
      reader.TakeScalar(name + "_age", DType::kI32, 0, kMostWrites, "expected one i32 that is not negative");
  constexpr char kExpectedStep[] = "expected one f64 that is a step";
  const auto step = reader.TakeScalar(name + "_step", DType::kF64, 0, kMostSteps, kExpectedStep);
  if (step && *step != std::floor(*step)) reader.Fault(name + "_step", kExpectedStep);
  constexpr char kExpectedShare[] = "expected one f64 in [0, 1]";
  const auto flip_rate = reader.TakeScalar(name + "_flip_rate", DType::kF64, 0, 1, kExpectedShare);
  const auto column_flip_rate = reader.TakeScalar(name + "_column_flip_rate", DType::kF64, 0, 1, kExpectedShare);
  return [=, this, mask = std::move(mask)](uint64_t version) mutable {
    SetMask({});
    mask_step_ = 0;
    flip_rate_ = column_flip_rate_ = 0;
    if (!mask.empty()) RestoreMask(std::move(mask), version);
    // This may wrap around. That does no harm, because only the difference of two versions is ever used.
    if (age) mask_version_ = version - static_cast<uint64_t>(*age);
    if (flip_rate) flip_rate_ = *flip_rate;
    if (column_flip_rate) column_flip_rate_ = *column_flip_rate;
    if (step) {
      step_ = mask_step_ = static_cast<int64_t>(*step);
      told_step_ = told_step_ || step_ > 0;
    }
    vnm_ = VnmOfMask();
    restored_ = !mask_.empty() && !keeps_all_ && step;
  };
}

}  // namespace twofour::sparse
