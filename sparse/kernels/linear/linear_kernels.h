#pragma once

// The kernels that linear_kernel.cc lists. There is one declaration for each; the file of a kernel says how it works.
#include <vector>

#include "twofour/sparse/kernels/linear/linear_kernel.h"

namespace twofour::sparse {

/// One kernel for each instruction set, fastest first.
std::vector<LinearKernel> PairBucketKernels();
std::vector<LinearKernel> MaskedRowsKernels();
LinearKernel MaskedDenseKernel();
LinearKernel ScalarReferenceKernel();

/// A check for kernels that take every mask of 4x4 tiles.
Verdict CheckTiled(const LinearProblem& problem);

}  // namespace twofour::sparse
