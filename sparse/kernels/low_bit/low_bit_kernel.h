#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "twofour/core/isa.h"
#include "twofour/sparse/kernels/low_bit/low_bit_layout.h"

namespace twofour::sparse {

/// A way to multiply few rows with a weight of few bits. All read the same layout.
struct LowBitKernel {
  std::string name;  ///< "low_bit_pairs_avx512bf16".
  Isa isa;
  bool emulated = false;  ///< For tests.
  /// Whether the processor has what the kernel needs beside `isa`; null where that is nothing.
  bool (*processor_can)() = nullptr;
  /// y = x W^T + bias on all threads: x [batch, padded columns], y [batch, rows], bias [rows] or null. For any number
  /// of threads and whatever the other rows of x are, a row of y has the same bits.
  void (*multiply)(const LowBitView& weight, int64_t batch, const float* x, const float* bias, float* y);
};

/// The table: fastest first.
std::span<const LowBitKernel> LowBitKernels();
/// Whether this processor and TWOFOUR_MAX_ISA allow it.
bool IsAllowed(const LowBitKernel& kernel);
/// The one that TWOFOUR_KERNEL names, or the first that is allowed and no emulation. Throws Error if the processor
/// cannot run the named one.
const LowBitKernel& ChooseLowBitKernel();

/// Quads of rows that make it worth while to wake another thread.
int64_t LowBitGrain(const LowBitView& weight);

}  // namespace twofour::sparse
