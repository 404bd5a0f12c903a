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

/// One for each instruction set that this build knows, fastest first; this processor may lack some.
std::span<const FloatGemmKernel> FloatGemmKernels();

/// The one for this processor where it is faster than the library: on AVX-512 and AVX2. Elsewhere null.
const FloatGemmKernel* FastFloatGemm();

}  // namespace twofour::kernels
