#pragma once

#include <string>
#include <vector>

#include "twofour/nn/prunable_linears.h"
#include "twofour/sparse/low_bit_parts.h"
#include "twofour/train/program/prune/prunable_run.h"

namespace twofour::train {

/// What is kept of each of these weights: by the run's mask, or by its zeros in place, if they have a pattern that
/// takes fewer bytes, and a format that holds. Throws Error, beginning with `source`, that names the first linear whose
/// pattern weights of `kind` have no form for (HasFileForm).
std::vector<PrunableRun::FoundMask> MasksOf(const std::vector<nn::PrunableLinear>& linears, const PrunableRun& run,
                                            sparse::LowBitKind kind, const std::string& source);

}  // namespace twofour::train
