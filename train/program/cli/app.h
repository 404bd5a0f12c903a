#pragma once

#include <atomic>
#include <iosfwd>

namespace twofour::train {

/// Set by a signal handler (HandleSignals); the run then ends after the step under way, with a checkpoint.
struct StopRequest {
  std::atomic<bool> stop{false};
  std::atomic<int> signal{0};
};

/// The whole program `trainer`: parses arguments, trains, and returns the exit code: 0 done, 1 failed at run time,
/// 2 bad argument, config or file, 128+N stopped by signal N. Errors are lines on `err`; everything else goes to
/// `out`, with a line that is rewritten where `terminal` says so.
int RunTrainer(int argc, const char* const* argv, std::ostream& out, std::ostream& err, bool terminal,
               const StopRequest& stop);

}  // namespace twofour::train
