#pragma once

#include "twofour/train/program/cli/command.h"

namespace twofour::train {

/// `trainer suggest-decay`: trains shortly with each of several lambdas of sparsity.masked_decay, and once densely, and
/// says with which the masks flip as they should (decay_choice.h). Writes no files.
int RunSuggestDecay(int argc, const char* const* argv, const CommandContext& context);

}  // namespace twofour::train
