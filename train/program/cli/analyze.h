#pragma once

#include "twofour/train/program/cli/command.h"

namespace twofour::train {

/// `trainer analyze`: lists the linears of a run or of a file with the patterns that their zeros have, their bytes, and
/// what their products gain on this machine, as measured by the same call. Writes no files.
int RunAnalyze(int argc, const char* const* argv, const CommandContext& context);

}  // namespace twofour::train
