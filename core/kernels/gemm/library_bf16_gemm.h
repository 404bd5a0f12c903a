#pragma once

#include <span>

#include "twofour/core/kernels/gemm/bf16_gemm.h"

namespace twofour::kernels {

/// The dense product of bf16 by the library: one row, or none if the build has no library for it. Its `isa` is the
/// least on which it runs; it is chosen on AMX (see FastBf16Gemm).
///
/// A and B are packed here, and floats rounded to bf16 as twofour's own kernel does it. The library multiplies blocks
/// of C, which depend on the shape alone, so results do not depend on the number of threads.
std::span<const Bf16GemmKernel> LibraryBf16GemmKernels();

}  // namespace twofour::kernels
