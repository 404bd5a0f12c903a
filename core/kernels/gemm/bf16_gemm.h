#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <tuple>

#include "twofour/core/half.h"
#include "twofour/core/isa.h"
#include "twofour/core/kernels/gemm/gemm.h"

namespace twofour::kernels {

template <typename A, typename B, typename C>
using Bf16GemmFunction = void (*)(const GemmProblem<A, B, C>& problem);

/// A dense product of bf16. Operands that are floats are rounded to bf16 when they are packed, to nearest even.
/// Products of two bf16 are exact, and sums are floats. Denormal numbers count as zero.
struct Bf16GemmKernel {
  Isa isa;
  /// Whether the instruction is emulated, bit by bit. That runs on every processor, but slowly.
  bool emulated;
  std::tuple<Bf16GemmFunction<BFloat16, BFloat16, float>, Bf16GemmFunction<BFloat16, BFloat16, BFloat16>,
             Bf16GemmFunction<BFloat16, float, float>, Bf16GemmFunction<BFloat16, float, BFloat16>,
             Bf16GemmFunction<float, BFloat16, float>, Bf16GemmFunction<float, BFloat16, BFloat16>>
      functions;

  /// The largest k for which results are rounded to bf16. Beyond it, what is summed up so far is kept in C.
  static constexpr int64_t kMostRoundedDepth = 4096;
  int64_t most_rounded_depth = kMostRoundedDepth;
  /// With fewer multiply-adds it is not worth choosing, because a call costs too much.
  int64_t least_work = 0;

  /// No size of the problem may be zero.
  template <typename A, typename B, typename C>
  void Multiply(const GemmProblem<A, B, C>& problem) const {
    std::get<Bf16GemmFunction<A, B, C>>(functions)(problem);
  }
};

/// twofour's own kernel for processors that multiply pairs of bf16 (AVX512_BF16), if this build has it, and its
/// emulation. In each sum the terms are added in ascending order, but of each pair the second term comes first.
std::span<const Bf16GemmKernel> Bf16GemmKernels();

/// The kernel for this processor: on AMX that of the library, elsewhere twofour's own where it pays (Bf16PairsPay), or
/// else null.
const Bf16GemmKernel* FastBf16Gemm();

/// What computes larger products of bf16 here: "oneDNN 2.6.3 (amxbf16)", "twofour (avx512bf16)", or what computes those
/// of floats (see GemmName).
std::string Bf16GemmName();

}  // namespace twofour::kernels
