#pragma once

#include "twofour/train/program/cli/command.h"

namespace twofour::train {

/// `trainer export`: writes a run's weights in a form that other programs read.
int RunExport(int argc, const char* const* argv, const CommandContext& context);

}  // namespace twofour::train
