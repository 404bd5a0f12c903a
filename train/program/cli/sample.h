#pragma once

#include "twofour/train/program/cli/command.h"

namespace twofour::train {

/// `trainer sample`: prints a prompt and then, token by token, how a run's model continues it, until all tokens are
/// drawn or the program is asked to stop. If the run has no vocabulary (its data were token ids), both are ids
/// separated by spaces. Throws Error on a folder without a language model or weights, on a prompt that the vocabulary
/// lacks, and if `out` fails.
int RunSample(int argc, const char* const* argv, const CommandContext& context);

}  // namespace twofour::train
