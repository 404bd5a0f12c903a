#pragma once

// What linear_kernel.cc lists. One declaration for each kernel; its file says how it works.
#include <vector>

#include "twofour/sparse/kernels/linear/linear_kernel.h"

namespace twofour::sparse {

/// One for each instruction set, fastest first.
std::vector<LinearKernel> PairBucketKernels();
std::vector<LinearKernel> MaskedRowsKernels();
LinearKernel MaskedDenseKernel();
LinearKernel ScalarReferenceKernel();

/// For kernels that take whatever is made of 4x4 tiles.
Verdict CheckTiled(const LinearProblem& problem);

}  // namespace twofour::sparse
