#pragma once

#include "twofour/train/program/cli/command.h"

namespace twofour::train {

/// `trainer inspect`: lists the tensors of a file or a run, with their sparsity and the patterns that hold.
int RunInspect(int argc, const char* const* argv, const CommandContext& context);

}  // namespace twofour::train
