#pragma once

#include "twofour/train/program/cli/command.h"
#include "twofour/train/program/cli/command_line.h"

#include "config.pb.h"

namespace twofour::train {

/// `trainer --config`, `trainer --resume`, `trainer retrain` and `trainer finetune`: trains one run.
int RunTraining(int argc, const char* const* argv, const CommandContext& context);

/// Trains a config that another command has made of a run's, with the changes of `line` and into its folder. Fields
/// without an effect, which the run may have, are accepted. Returns the exit code.
int TrainNewRun(const CommandLine& line, const proto::Config& config, const CommandContext& context);

}  // namespace twofour::train
