#pragma once

#include "twofour/train/program/cli/command.h"

namespace twofour::train {

/// `trainer sample`: prints a prompt and what a run's model makes of it, as it comes, until it is told to stop. Where
/// the run has no vocabulary (its data were token ids), both are ids separated by spaces. Throws Error on a folder
/// without a language model or weights, on a prompt that the vocabulary lacks, and when `out` fails.
int RunSample(int argc, const char* const* argv, const CommandContext& context);

}  // namespace twofour::train
