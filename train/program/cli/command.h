#pragma once

#include <iosfwd>

#include "twofour/train/program/cli/app.h"

namespace twofour::train {

/// What every command of the program is given besides its arguments.
struct CommandContext {
  std::ostream& out;
  std::ostream& err;
  bool terminal;  ///< Whether `out` is one.
  const StopRequest& stop;
};

/// One command: argv[1] is its name, but for the one without. Returns the exit code; throws Error on what RunTrainer
/// reports.
using Command = int (*)(int argc, const char* const* argv, const CommandContext& context);

}  // namespace twofour::train
