#include "twofour/comm/virtual_clock.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "twofour/core/error.h"

namespace twofour::comm {

VirtualClock::VirtualClock(const NetworkSpeed& speed) : speed_(speed) {
  if (!(speed.latency_seconds >= 0) || !std::isfinite(speed.latency_seconds)) {
    throw Error(fmt::format("NetworkSpeed: latency_seconds is {:g}, expected a finite number of at least 0",
                            speed.latency_seconds));
  }
  if (!(speed.bytes_per_second > 0)) {
    throw Error(fmt::format("NetworkSpeed: bytes_per_second is {:g}, expected above 0", speed.bytes_per_second));
  }
}

void VirtualClock::Advance(double seconds) {
  if (!(seconds >= 0) || !std::isfinite(seconds)) {
    throw Error(fmt::format("VirtualClock: advanced by {:g} seconds, expected a finite number of at least 0", seconds));
  }
  now_ += seconds;
}

std::vector<double> VirtualClock::Send(std::span<const size_t> bytes) {
  sent_ = now_;
  std::vector<double> arrivals;
  for (const size_t count : bytes) {
    sent_ += static_cast<double>(count) / speed_.bytes_per_second;
    arrivals.push_back(sent_ + speed_.latency_seconds);
  }
  return arrivals;
}

void VirtualClock::Receive(std::vector<Arrival> arrivals) {
  // Messages of one rank arrive in the order in which they were sent, which stays.
  std::ranges::stable_sort(arrivals, {},
                           [](const Arrival& arrival) { return std::tuple(arrival.seconds, arrival.from); });
  for (const Arrival& arrival : arrivals) {
    received_ = std::max(arrival.seconds, received_ + static_cast<double>(arrival.bytes) / speed_.bytes_per_second);
  }
  now_ = std::max(sent_, now_);
  if (!arrivals.empty()) now_ = std::max(now_, received_);
}

}  // namespace twofour::comm
