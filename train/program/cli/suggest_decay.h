#pragma once

#include "twofour/train/program/cli/command.h"

namespace twofour::train {

/// `trainer suggest-decay`: makes a short dense training, and a short sparse one with each of several lambdas of
/// sparsity.masked_decay. Suggests the lambda whose masks flip at the desired rate (decay_choice.h). Writes no files.
int RunSuggestDecay(int argc, const char* const* argv, const CommandContext& context);

}  // namespace twofour::train
