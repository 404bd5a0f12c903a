#pragma once

#include <span>

#include "twofour/core/isa.h"
#include "twofour/core/kernels/gemm/gemm.h"

namespace twofour::kernels {

/// twofour's own dense product in double for one instruction set, on the calling thread. Each element is summed over k
/// in an order that depends on k alone.
struct DoubleGemmKernel {
  Isa isa;
  void (*multiply)(const GemmProblem<double>& problem);  ///< No size of the problem may be zero. Adds no bias.
};

/// One product for each instruction set that this build knows, fastest first. This processor may lack some of the sets.
std::span<const DoubleGemmKernel> DoubleGemmKernels();

/// The product for this processor if it is faster than Eigen, which is compiled for the baseline: on AVX-512 and AVX2.
/// Otherwise null.
const DoubleGemmKernel* FastDoubleGemm();

}  // namespace twofour::kernels
