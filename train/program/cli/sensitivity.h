#pragma once

#include "twofour/train/program/cli/command.h"

namespace twofour::train {

/// `trainer sensitivity`: measures what pruning each linear of a run alone adds to the loss.
int RunSensitivity(int argc, const char* const* argv, const CommandContext& context);

}  // namespace twofour::train
