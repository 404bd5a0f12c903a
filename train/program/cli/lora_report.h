#pragma once

#include <iosfwd>

#include "twofour/nn/swap.h"

#include "config.pb.h"

namespace twofour::train {

/// Prints which pruned linears got an adapter, which did not and why, and the stages of the run.
void PrintLoraReport(const nn::SwapReport& report, const proto::Config& config, std::ostream& out);

}  // namespace twofour::train
