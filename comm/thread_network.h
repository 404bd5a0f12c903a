#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "twofour/comm/communicator.h"
#include "twofour/comm/virtual_clock.h"

namespace twofour::comm {

/// The line from one rank to another breaks: its message number `message`, counted from 0, and all later ones are lost.
/// (All, because what arrives keeps its order, so nothing can overtake a lost message.) The sender does not notice.
struct BrokenLine {
  int from = 0, to = 0;
  int64_t message = 0;
};

/// The rank dies in its call of Exchange number `exchange`, counted from 0: that call throws, and so does every
/// exchange of another rank with it, now or later.
struct Death {
  int rank = 0;
  int64_t exchange = 0;
};

struct ThreadNetworkOptions {
  /// An exchange throws when nothing arrived, and nothing was taken, for so long.
  double timeout_seconds = 60;
  /// Every message takes a time between these two to arrive, drawn from `seed`. In real time, to try out how ranks may
  /// overtake each other.
  double least_delay_seconds = 0, most_delay_seconds = 0;
  uint64_t seed = 0;
  std::vector<BrokenLine> broken_lines = {};
  std::vector<Death> deaths = {};
  /// How fast the network is in virtual time, which only counts and does not make anyone wait.
  NetworkSpeed speed = {};
  size_t stack_bytes = size_t{1} << 20;  ///< Of each rank's thread.
};

/// Ranks that are threads of this process, for tests and simulations. A message is copied once its receiver takes it,
/// and its sender waits until then, so the network holds no messages. Ranks that first send to each other wait for
/// ever, as they may with MPI.
///
/// A rank whose function threw is gone, as a process that ended with an error: the exchanges of others with it throw
/// Error. One whose function returned is silent: they time out.
///
/// Each rank has a virtual clock (VirtualClock), which exchanges and Advance move. It depends neither on real time nor
/// on how threads are scheduled.
class ThreadNetwork {
 public:
  /// Throws Error on a number of ranks below 1, on options out of range, and on faults of ranks that there are not.
  explicit ThreadNetwork(int ranks, ThreadNetworkOptions options = {});
  ~ThreadNetwork();

  using Function = std::function<void(Communicator&)>;
  /// Calls the function once for each rank, each on a thread of its own, and waits for all. Throws what was thrown
  /// first of all. May be called again, after an error, too: then all ranks live again, and counts of messages and
  /// exchanges start anew, but clocks go on.
  void Run(const Function& function);
  /// The same, but returns what each rank threw, or null.
  std::vector<std::exception_ptr> RunAndCatch(const Function& function);

  /// The virtual clock of a rank, in seconds. For its own thread, and for any thread while nothing runs.
  double Clock(int rank) const;
  /// Moves it: the rank has computed for so long.
  void Advance(int rank, double seconds);

  /// What the last run was aborted with, if it was.
  std::optional<int> exit_code() const;

  struct State;  // Internal.

 private:
  std::unique_ptr<State> state_;
};

}  // namespace twofour::comm
