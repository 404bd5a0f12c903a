#pragma once

#include "twofour/train/program/cli/command.h"

namespace twofour::train {

/// `trainer report`: compares runs on one page. Prints to `out` where the page is; notes on what was skipped go to
/// `err`.
int RunReport(int argc, const char* const* argv, const CommandContext& context);

}  // namespace twofour::train
