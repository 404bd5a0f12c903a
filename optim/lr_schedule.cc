#include "twofour/optim/lr_schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace twofour::optim {
namespace {

constexpr const char* kOwner = "learning rate: ";

double Warmup(double lr, int64_t step, int64_t warmup_steps) {
  return lr * (static_cast<double>(step + 1) / static_cast<double>(warmup_steps));
}

/// The part of [begin, end] that is over at `step`, from 0 to 1.
double Progress(int64_t step, int64_t begin, int64_t end) {
  if (step >= end) return 1.0;
  return step <= begin ? 0.0 : static_cast<double>(step - begin) / static_cast<double>(end - begin);
}

}  // namespace

void CheckLr(double lr, const std::string& path, Faults& faults) { faults.FloatAtLeast(path, lr, 0); }

void RequireLr(double lr, const char* owner) {
  Faults faults(owner);
  CheckLr(lr, "lr", faults);
  faults.Throw();
}

void CheckRates(double lr, double min_lr, const FieldPath& at, Faults& faults) {
  CheckLr(lr, at("lr"), faults);
  if (!faults.IsSound(at("lr"))) return faults.AtLeast(at("min_lr"), min_lr, 0);
  faults.Expect(min_lr >= 0 && min_lr <= lr, at("min_lr"), min_lr, fmt::format("0 to lr, which is {}", lr));
}

LrSchedule ConstantLr(double lr) {
  RequireLr(lr, kOwner);
  return [lr](int64_t) { return lr; };
}

void Check(const WarmupCosineOptions& options, const FieldPath& at, Faults& faults) {
  const int64_t warmup = options.warmup_steps, total = options.total_steps;
  CheckRates(options.lr, options.min_lr, at, faults);
  faults.Expect(total >= 0, at("total_steps"), total, "at least 0");
  faults.Expect(warmup >= 0, at("warmup_steps"), warmup, "at least 0");
  if (!faults.IsSound(at("total_steps"))) return;
  faults.Expect(warmup <= total, at("warmup_steps"), warmup, fmt::format("0 to {}, all steps", total));
}

LrSchedule WarmupCosineLr(const WarmupCosineOptions& options) {
  Checked(options, kOwner);
  return [options](int64_t step) {
    if (step < options.warmup_steps) return Warmup(options.lr, step, options.warmup_steps);
    const double progress = Progress(step, options.warmup_steps, options.total_steps - 1);
    return std::lerp(options.lr, options.min_lr, 0.5 * (1.0 - std::cos(std::numbers::pi * progress)));
  };
}

void Check(const WarmupStableDecayOptions& options, const FieldPath& at, Faults& faults) {
  const int64_t warmup = options.warmup_steps, decay = options.decay_steps, total = options.total_steps;
  CheckRates(options.lr, options.min_lr, at, faults);
  faults.Expect(total >= 0, at("total_steps"), total, "at least 0");
  faults.Expect(warmup >= 0, at("warmup_steps"), warmup, "at least 0");
  faults.Expect(decay >= 0, at("decay_steps"), decay, "at least 0");
  if (!faults.IsSound(at("total_steps")) || !faults.IsSound(at("decay_steps"))) return;
  faults.Expect(warmup <= total - decay, at("warmup_steps"), warmup,
                fmt::format("what fits into {} steps beside decay_steps, which is {}", total, decay),
                fmt::format("warmup_steps {} and decay_steps {} do not fit into {} steps", warmup, decay, total));
}

LrSchedule WarmupStableDecayLr(const WarmupStableDecayOptions& options) {
  Checked(options, kOwner);
  return [options](int64_t step) {
    if (step < options.warmup_steps) return Warmup(options.lr, step, options.warmup_steps);
    // The line starts to fall at the last of the stable steps.
    const int64_t begin = options.total_steps - options.decay_steps - 1;
    const double progress = options.decay_steps == 0 ? 0.0 : Progress(step, begin, options.total_steps - 1);
    return std::lerp(options.lr, options.min_lr, progress);
  };
}

}  // namespace twofour::optim
