#pragma once

#include "twofour/core/kernels/gemm.h"

namespace twofour::kernels {

/// One block of a product, on the calling thread alone, by the library. k must be positive.
void GemmBlock(const GemmProblem<float>& problem);
void GemmBlock(const GemmProblem<double>& problem);

}  // namespace twofour::kernels
