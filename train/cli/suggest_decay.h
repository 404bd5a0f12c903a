#pragma once

#include <iosfwd>

#include "twofour/train/cli/app.h"

namespace twofour::train {

/// `trainer suggest-decay`: trains shortly with each of several lambdas of sparsity.masked_decay, and once densely, and
/// says with which the masks flip as they should (decay_choice.h). Writes no files. Returns the exit code.
int RunSuggestDecay(int argc, const char* const* argv, std::ostream& out, const StopRequest& stop);

}  // namespace twofour::train
