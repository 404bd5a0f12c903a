#pragma once

namespace twofour {

/// FLOP/s in fp32 of all NumThreads() threads together in a loop of independent multiply-adds, each of which counts as
/// two operations: what model FLOPs utilisation is a share of. Of the instruction set in use (TWOFOUR_MAX_ISA holds
/// here, too); where that has no fused multiply-add, of products and sums. The best of several measurements of some ms
/// each: less than 100 ms, unless the processors are busy with other work.
double MeasurePeakFlops();

}  // namespace twofour
