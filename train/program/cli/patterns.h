#pragma once

#include "twofour/train/program/cli/command.h"

namespace twofour::train {

/// `trainer patterns`: lists representative patterns of pruning, with the bytes of a weight and what its products gain
/// on this machine, as measured by the same call. Writes no files.
int RunPatterns(int argc, const char* const* argv, const CommandContext& context);

}  // namespace twofour::train
