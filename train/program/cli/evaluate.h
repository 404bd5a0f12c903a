#pragma once

#include "twofour/train/program/cli/command.h"

namespace twofour::train {

/// `trainer evaluate`: measures a run's weights on its evaluation data or on another file.
int RunEvaluate(int argc, const char* const* argv, const CommandContext& context);

}  // namespace twofour::train
