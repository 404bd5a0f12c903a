#pragma once

#include <span>

#include "twofour/core/isa.h"
#include "twofour/core/kernels/gemm/gemm.h"

namespace twofour::kernels {

/// twofour's own dense product of floats for one instruction set. No size of the problem may be zero.
struct FloatGemmKernel {
  Isa isa;
  void (*multiply)(const GemmProblem<float>& problem);
};

/// One product for each instruction set that this build knows, fastest first. This processor may lack some of the sets.
std::span<const FloatGemmKernel> FloatGemmKernels();

/// The product for this processor if it is faster than the library: on AVX-512 and AVX2. Otherwise null.
const FloatGemmKernel* FastFloatGemm();

}  // namespace twofour::kernels
