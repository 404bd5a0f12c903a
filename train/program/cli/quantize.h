#pragma once

#include "twofour/train/program/cli/command.h"

namespace twofour::train {

/// `trainer quantize`: makes a run of the weights of another one, rounded to 8 or 4 bits.
int RunQuantize(int argc, const char* const* argv, const CommandContext& context);

}  // namespace twofour::train
