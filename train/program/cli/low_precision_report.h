#pragma once

#include <iosfwd>

#include "twofour/nn/swap.h"

#include "config.pb.h"

namespace twofour::train {

/// Prints which linears compute in FP8 or NVFP4, in which formats, and which do not and why.
void PrintLowPrecisionReport(const nn::SwapReport& report, const proto::Config& config, std::ostream& out);

}  // namespace twofour::train
