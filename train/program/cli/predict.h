#pragma once

#include "twofour/train/program/cli/command.h"

namespace twofour::train {

/// `trainer predict`: the classes that a trained model gives to the rows of a table or to images, as CSV.
int RunPredict(int argc, const char* const* argv, const CommandContext& context);

}  // namespace twofour::train
