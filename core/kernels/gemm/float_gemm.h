#pragma once

#include <span>
#include <tuple>

#include "twofour/core/half.h"
#include "twofour/core/isa.h"
#include "twofour/core/kernels/gemm/gemm.h"

namespace twofour::kernels {

/// A float that stands for the nearest bf16.
struct FloatAsBf16 {
  float value;
  explicit operator float() const { return static_cast<float>(BFloat16(value)); }
};

template <typename A, typename B>
using FloatGemmFunction = void (*)(const GemmProblem<A, B, float>& problem);

/// twofour's own dense product into floats for one instruction set. Operands of 16 bits give the same bits as the same
/// numbers as floats.
struct FloatGemmKernel {
  Isa isa;
  std::tuple<FloatGemmFunction<float, float>, FloatGemmFunction<FloatAsBf16, BFloat16>,
             FloatGemmFunction<float, Float16>, FloatGemmFunction<BFloat16, FloatAsBf16>,
             FloatGemmFunction<BFloat16, BFloat16>, FloatGemmFunction<BFloat16, Float16>,
             FloatGemmFunction<Float16, float>, FloatGemmFunction<Float16, BFloat16>,
             FloatGemmFunction<Float16, Float16>>
      functions;

  /// No size of the problem may be zero.
  template <typename A, typename B>
  void Multiply(const GemmProblem<A, B, float>& problem) const {
    std::get<FloatGemmFunction<A, B>>(functions)(problem);
  }
};

/// One product for each instruction set that this build knows, fastest first. This processor may lack some of the sets.
std::span<const FloatGemmKernel> FloatGemmKernels();

/// The product for this processor if it is faster than the library: on AVX-512 and AVX2. Otherwise null.
const FloatGemmKernel* FastFloatGemm();

}  // namespace twofour::kernels
