#include "twofour/optim/lr_schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "twofour/core/error.h"

namespace twofour::optim {
namespace {

void RequireRates(double lr, double min_lr) {
  if (!(min_lr >= 0 && min_lr <= lr)) {
    throw Error(fmt::format("learning rate: lr {} and min_lr {}, expected 0 <= min_lr <= lr", lr, min_lr));
  }
}

double Warmup(double lr, int64_t step, int64_t warmup_steps) {
  return lr * (static_cast<double>(step + 1) / static_cast<double>(warmup_steps));
}

/// How much of [begin, end] is behind `step`, from 0 to 1.
double Progress(int64_t step, int64_t begin, int64_t end) {
  if (step >= end) return 1.0;
  return step <= begin ? 0.0 : static_cast<double>(step - begin) / static_cast<double>(end - begin);
}

}  // namespace

LrSchedule ConstantLr(double lr) {
  RequireRates(lr, 0);
  return [lr](int64_t) { return lr; };
}

LrSchedule WarmupCosineLr(const WarmupCosineOptions& options) {
  RequireRates(options.lr, options.min_lr);
  if (options.warmup_steps < 0 || options.warmup_steps > options.total_steps) {
    throw Error(fmt::format("learning rate: warmup_steps {} of {} steps", options.warmup_steps, options.total_steps));
  }
  return [options](int64_t step) {
    if (step < options.warmup_steps) return Warmup(options.lr, step, options.warmup_steps);
    const double progress = Progress(step, options.warmup_steps, options.total_steps - 1);
    return std::lerp(options.lr, options.min_lr, 0.5 * (1.0 - std::cos(std::numbers::pi * progress)));
  };
}

LrSchedule WarmupStableDecayLr(const WarmupStableDecayOptions& options) {
  RequireRates(options.lr, options.min_lr);
  if (options.warmup_steps < 0 || options.decay_steps < 0 ||
      options.warmup_steps > options.total_steps - options.decay_steps) {
    throw Error(fmt::format("learning rate: warmup_steps {} and decay_steps {} do not fit into {} steps",
                            options.warmup_steps, options.decay_steps, options.total_steps));
  }
  return [options](int64_t step) {
    if (step < options.warmup_steps) return Warmup(options.lr, step, options.warmup_steps);
    // The last of the stable steps is the point the line falls from.
    const int64_t begin = options.total_steps - options.decay_steps - 1;
    const double progress = options.decay_steps == 0 ? 0.0 : Progress(step, begin, options.total_steps - 1);
    return std::lerp(options.lr, options.min_lr, progress);
  };
}

}  // namespace twofour::optim
