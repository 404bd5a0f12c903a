#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace twofour::comm {

/// How fast a network is, to compute how long exchanges would take on it.
struct NetworkSpeed {
  double latency_seconds = 0;
  double bytes_per_second = std::numeric_limits<double>::infinity();  ///< Of each rank's link, in each direction.
};

/// A message that some rank sends, as its receiver's clock sees it.
struct Arrival {
  double seconds = 0;  ///< When its last byte arrives.
  size_t bytes = 0;
  int from = 0;
};

/// The clock of one rank in a simulation. Each rank has a link of its own, which carries one message at a time in each
/// direction, and nothing else limits them. Only depends on what it is told, so its times do not depend on how threads
/// are scheduled. Not for use by several threads at once.
class VirtualClock {
 public:
  /// Throws Error on a latency that is negative or not finite, and on a speed that is not above 0.
  explicit VirtualClock(const NetworkSpeed& speed);

  double seconds() const { return now_; }
  /// Computing took so long. Throws Error if `seconds` is negative or not finite.
  void Advance(double seconds);

  /// Begins an exchange: messages of so many bytes leave one after the other. Returns when each arrives: the latency
  /// after its last byte has left.
  std::vector<double> Send(std::span<const size_t> bytes);
  /// Ends the exchange: the link takes the messages in the order in which they arrive, and a message that finds it busy
  /// waits. Messages of an exchange wait for those of the exchanges before it. The clock moves on to the end of what
  /// Send sent and of what arrived, whichever is later.
  void Receive(std::vector<Arrival> arrivals);

 private:
  NetworkSpeed speed_;
  double now_ = 0;
  double sent_ = 0;      // When the link has sent everything,
  double received_ = 0;  // and taken everything.
};

}  // namespace twofour::comm
