#pragma once

#include "twofour/train/program/cli/command.h"

namespace twofour::train {

/// `trainer permute`: reorders the channels of a dense run's model, so that masks keep more of it.
int RunPermute(int argc, const char* const* argv, const CommandContext& context);

}  // namespace twofour::train
