#pragma once

#include <cstdint>
#include <functional>

namespace twofour::optim {

/// The learning rate of optimizer step `step`, counted from 0. Pure: a resumed run needs no state.
using LrSchedule = std::function<double(int64_t step)>;

/// `lr` throughout.
LrSchedule ConstantLr(double lr);

struct WarmupCosineOptions {
  double lr = 0;      ///< The highest rate.
  double min_lr = 0;  ///< The last step's rate.
  int64_t warmup_steps = 0;
  int64_t total_steps = 0;
};

/// Rises linearly to `lr` over `warmup_steps` (step s trains at lr * (s + 1) / warmup_steps), then follows half a
/// cosine down to `min_lr` at the last step, total_steps - 1, and stays there. Loshchilov and Hutter, "SGDR", 2017.
/// Throws Error unless 0 <= warmup_steps <= total_steps and 0 <= min_lr <= lr.
LrSchedule WarmupCosineLr(const WarmupCosineOptions& options);

struct WarmupStableDecayOptions {
  double lr = 0;
  double min_lr = 0;
  int64_t warmup_steps = 0;
  int64_t decay_steps = 0;
  int64_t total_steps = 0;
};

/// Rises linearly to `lr` as above, stays, and falls linearly over the last `decay_steps` to `min_lr` at the last
/// step. Hu et al., "MiniCPM", 2024 (WSD). Throws Error unless warmup_steps + decay_steps <= total_steps.
LrSchedule WarmupStableDecayLr(const WarmupStableDecayOptions& options);

}  // namespace twofour::optim
