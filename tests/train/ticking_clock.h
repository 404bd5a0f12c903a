#pragma once

#include "twofour/train/clock.h"

namespace twofour::test {

/// Moves on by half a second whenever somebody reads it.
struct TickingClock final : train::Clock {
  explicit TickingClock(double now = 0) : time(now) {}
  double Seconds() const override { return time += 0.5; }
  mutable double time;
};

}  // namespace twofour::test
