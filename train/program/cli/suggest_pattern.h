#pragma once

#include "twofour/train/program/cli/command.h"

namespace twofour::train {

/// `trainer suggest-pattern`: measures the products of a config's sparse linears under patterns of V:N:M, and names the
/// one that leaves most to choose of those that are fast enough (pattern_choice.h). Trains nothing and writes no files.
int RunSuggestPattern(int argc, const char* const* argv, const CommandContext& context);

}  // namespace twofour::train
