#pragma once

#include "twofour/train/program/cli/command.h"

namespace twofour::train {

/// `trainer report`: compares runs on one page. Tells on `out` where it is; notes of what was skipped go to `err`.
int RunReport(int argc, const char* const* argv, const CommandContext& context);

}  // namespace twofour::train
