#pragma once

#include "twofour/train/program/cli/command.h"

namespace twofour::train {

/// `trainer tokenize`: finds a vocabulary for a text, or turns a text into a file of token ids.
int RunTokenize(int argc, const char* const* argv, const CommandContext& context);

}  // namespace twofour::train
