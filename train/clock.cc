#include "twofour/train/clock.h"

#include <chrono>

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
  static const SteadyClock clock;
  return clock;
}

const Clock& Clock::Wall() {
  static const WallClock clock;
  return clock;
}

}  // namespace twofour::train
