#pragma once

#include <atomic>
#include <chrono>
#include <iosfwd>

#include "twofour/comm/communicator.h"

namespace twofour::train {

/// How long other ranks wait before they report an error that the first one may report as well, and end them all.
inline constexpr auto kForTheFirstToEnd = std::chrono::seconds(3);

/// Set by a signal handler (HandleSignals). The run then ends after the current step, with a checkpoint.
struct StopRequest {
  std::atomic<bool> stop{false};
  std::atomic<int> signal{0};
};

/// The whole program `trainer`: parses arguments, runs the command, and returns the exit code: 0 done, 1 failed at run
/// time, 2 bad argument, config or file, 128+N stopped by signal N. Errors, warnings and notes are lines on `err`;
/// results and progress go to `out`. `terminal`: `out` is a terminal, so that progress can be one line that is
/// rewritten.
///
/// Several `ranks` run the command together, if it can: all call this with the same arguments. Only the first one
/// prints, but for errors that the others do not know of.
int RunTrainer(int argc, const char* const* argv, std::ostream& out, std::ostream& err, bool terminal,
               const StopRequest& stop, comm::Communicator& ranks);

}  // namespace twofour::train
