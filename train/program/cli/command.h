#pragma once

#include <iosfwd>

#include "twofour/train/program/cli/app.h"

namespace twofour::train {

/// What every command gets besides its arguments.
struct CommandContext {
  std::ostream& out;
  std::ostream& err;
  bool terminal;  ///< Whether `out` is a terminal.
  const StopRequest& stop;
  comm::Communicator& ranks;  ///< The processes that run the command together. `out` and `err` are the first one's.
  int threads = 0;            ///< To compute with, unless the user says otherwise; 0: all processors.
};

/// Runs one command. argv[1] is its name, except for training with --config or --resume, which has no name. Returns the
/// exit code. Throws Error, which RunTrainer reports.
using Command = int (*)(int argc, const char* const* argv, const CommandContext& context);

}  // namespace twofour::train
