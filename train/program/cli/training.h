#pragma once

#include "twofour/train/program/cli/command.h"

namespace twofour::train {

/// `trainer --config`, `trainer --resume`, `trainer retrain` and `trainer finetune`: trains one run.
int RunTraining(int argc, const char* const* argv, const CommandContext& context);

}  // namespace twofour::train
