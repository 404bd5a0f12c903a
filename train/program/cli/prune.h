#pragma once

#include "twofour/train/program/cli/command.h"

namespace twofour::train {

/// `trainer prune`: prunes the weights of a run once and makes a run of them.
int RunPrune(int argc, const char* const* argv, const CommandContext& context);

}  // namespace twofour::train
