#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "twofour/core/faults.h"

namespace twofour::optim {

/// The learning rate of optimizer step `step`, counted from 0. A pure function, so a resumed run needs no state.
using LrSchedule = std::function<double(int64_t step)>;

/// The rule for every learning rate: Faults::FloatAtLeast 0, because updates compute in floats.
void CheckLr(double lr, const std::string& path, Faults& faults);
/// Throws Error that begins with `owner` ("optimizer: ") on a rate that CheckLr finds fault with.
void RequireLr(double lr, const char* owner);
/// Checks "lr" by CheckLr, and 0 <= "min_lr" <= lr. If lr has a fault, min_lr is not compared with it.
void CheckRates(double lr, double min_lr, const FieldPath& at, Faults& faults);

/// `lr` at every step.
LrSchedule ConstantLr(double lr);

struct WarmupCosineOptions {
  double lr = 0;      ///< The highest rate.
  double min_lr = 0;  ///< The rate of the last step.
  int64_t warmup_steps = 0;
  int64_t total_steps = 0;
};

/// Rules: 0 <= warmup_steps <= total_steps, and those of CheckRates.
void Check(const WarmupCosineOptions& options, const FieldPath& at, Faults& faults);

/// Rises linearly to `lr` over `warmup_steps` (step s trains at lr * (s + 1) / warmup_steps), then follows half a
/// cosine down to `min_lr` at the last step, total_steps - 1, and stays there. Loshchilov and Hutter, "SGDR", 2017.
/// Throws Error on options that Check finds fault with.
LrSchedule WarmupCosineLr(const WarmupCosineOptions& options);

struct WarmupStableDecayOptions {
  double lr = 0;
  double min_lr = 0;
  int64_t warmup_steps = 0;
  int64_t decay_steps = 0;
  int64_t total_steps = 0;
};

/// Rules: warmup_steps and decay_steps are not negative and fit into total_steps, and those of CheckRates.
void Check(const WarmupStableDecayOptions& options, const FieldPath& at, Faults& faults);

/// Rises linearly to `lr` as above, stays there, and then falls linearly over the last `decay_steps` steps to `min_lr`
/// at the last step. Hu et al., "MiniCPM", 2024 (WSD). Throws Error on options that Check finds fault with.
LrSchedule WarmupStableDecayLr(const WarmupStableDecayOptions& options);

}  // namespace twofour::optim
