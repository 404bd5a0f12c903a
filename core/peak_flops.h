#pragma once

#include "twofour/core/dtype.h"
#include "twofour/core/peak_estimate.h"

namespace twofour {

/// Measures the FLOP/s of all NumThreads() threads together (or of as many as there are processors), in a loop of
/// independent multiply-adds, each of which counts as two operations. Model FLOPs utilisation is a share of this. Uses
/// the best instruction set that is allowed (TWOFOUR_MAX_ISA holds here, too); where that has no fused multiply-add,
/// measures products and sums. Time for which the system gives a processor to somebody else does not count, so that the
/// result is the machine's. Takes 0.1 s, and 0.2 s where the first half leaves doubts.
///
/// `operands` is the dtype that products multiply. With bf16 the loop adds products of pairs where the processor can do
/// that at once and products use it (Bf16PairsPay). Elsewhere operands of 16 bits are multiplied as f32, so the peak is
/// that of f32. Where the tiles of AMX multiply bf16, nothing is measured, and the rates are zero: no loop here uses
/// tiles, and a share of less than what multiplies could exceed 1.
PeakFlops MeasurePeakFlops(DType operands = DType::kF32);

}  // namespace twofour
