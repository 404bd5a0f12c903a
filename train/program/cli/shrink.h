#pragma once

#include "twofour/train/program/cli/command.h"

namespace twofour::train {

/// `trainer shrink`: makes a run with a smaller model of the best parts of another one's.
int RunShrink(int argc, const char* const* argv, const CommandContext& context);

}  // namespace twofour::train
