#include "twofour/train/clock.h"

#include <chrono>

#include "twofour/core/never_destroyed.h"

namespace twofour::train {
namespace {

class SteadyClock final : public Clock {
 public:
  double Seconds() const override {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
};

class WallClock final : public Clock {
 public:
  double Seconds() const override {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  }
};

}  // namespace

const Clock& Clock::Default() {
  static const NeverDestroyed<SteadyClock> clock;
  return *clock;
}

const Clock& Clock::Wall() {
  static const NeverDestroyed<WallClock> clock;
  return *clock;
}

}  // namespace twofour::train
