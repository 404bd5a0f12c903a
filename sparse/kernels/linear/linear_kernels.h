#pragma once

// The kernels that linear_kernel.cc lists. There is one declaration for each; the file of a kernel says how it works.
#include <vector>

#include "twofour/sparse/kernels/linear/linear_kernel.h"

namespace twofour::sparse {

/// One kernel for each instruction set, fastest first.
std::vector<LinearKernel> PairBucketKernels();
std::vector<LinearKernel> Bf16PairBucketKernels();
std::vector<LinearKernel> Bf16VnmKernels();
std::vector<LinearKernel> VnmAmxKernels();
std::vector<LinearKernel> VnmKernels();
std::vector<LinearKernel> MaskedRowsKernels();
/// One for each dtype of activations.
std::vector<LinearKernel> MaskedDenseKernels();
LinearKernel ScalarReferenceKernel();

/// A function that computes with activations of type T, as a row of the table has it.
template <typename T, void (*multiply)(const PackedWeight&, Direction, int64_t, const T*, const Epilogue&, T*)>
void MultiplyAs(const PackedWeight& weight, Direction direction, int64_t batch, const void* in,
                const Epilogue& epilogue, void* out) {
  multiply(weight, direction, batch, static_cast<const T*>(in), epilogue, static_cast<T*>(out));
}

/// A check for kernels that take every mask of any size.
Verdict CheckNothing(const LinearProblem& problem);
/// A check for kernels that take every mask of 4x4 tiles.
Verdict CheckTiled(const LinearProblem& problem);
/// A check for kernels that are made for V:N:M weights of transposable tiles, and take 2:4 ones as 4:2:4.
Verdict CheckMadeForVnm(const LinearProblem& problem);

}  // namespace twofour::sparse
