#pragma once

#include "twofour/train/program/cli/command.h"

namespace twofour::train {

/// `trainer import`: makes a run of weights that somebody else wrote.
int RunImport(int argc, const char* const* argv, const CommandContext& context);

}  // namespace twofour::train
