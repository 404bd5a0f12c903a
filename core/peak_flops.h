#pragma once

#include "twofour/core/peak_estimate.h"

namespace twofour {

/// Measures the FLOP/s in fp32 of all NumThreads() threads together (or of as many as there are processors), in a loop
/// of independent multiply-adds, each of which counts as two operations. Model FLOPs utilisation is a share of this.
/// Uses the best instruction set that is allowed (TWOFOUR_MAX_ISA holds here, too); where that has no fused
/// multiply-add, measures products and sums. Time for which the system gives a processor to somebody else does not
/// count, so that the result is the machine's. Takes 0.1 s, and 0.2 s where the first half leaves doubts.
PeakFlops MeasurePeakFlops();

}  // namespace twofour
