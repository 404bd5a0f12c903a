#pragma once

// What linear_kernel.cc lists. One declaration for each kernel; its file says how it works.
#include "twofour/sparse/kernels/linear_kernel.h"

namespace twofour::sparse {

/// One for each instruction set, fastest first.
std::span<const LinearKernel> PairBucketKernels();
std::span<const LinearKernel> MaskedRowsKernels();
extern const LinearKernel kMaskedDenseKernel;
extern const LinearKernel kScalarReferenceKernel;

/// Rejects what no kernel takes: sizes that are not multiples of 4. Empty otherwise.
std::string WhyNotTiled(const LinearShape& shape);
/// For kernels that are the last resort.
std::string NeverSlower(const LinearShape& shape);

}  // namespace twofour::sparse
