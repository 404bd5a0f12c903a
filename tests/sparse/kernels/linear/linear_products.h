#pragma once

#include <cstdint>
#include <ostream>

#include "twofour/core/tensor.h"
#include "twofour/sparse/kernels/linear/linear_kernel.h"
#include "twofour/sparse/mask.h"

namespace twofour::sparse {

/// For GoogleTest.
inline void PrintTo(const LinearKernel& kernel, std::ostream* out) { *out << kernel.name; }

/// A product with a weight [out, in] and with activations as `kernel` takes them.
LinearProblem ProblemFor(const LinearKernel& kernel, int64_t out, int64_t in, int64_t batch,
                         Direction direction = Direction::kForward, const MaskFormat& format = MaskFormat::TwoOfFour());

/// The product of `in` [batch, ...], whose numbers are rounded to the kernel's activations, with a weight that is
/// packed for it, as one of pattern `vnm` if that has a v. Has the dtype of the activations. Fails the test if
/// something is written beside the output. Neither reads nor writes further than it may under AddressSanitizer.
Tensor Multiply(const LinearKernel& kernel, const Tensor& weight, const Mask& mask, Direction direction,
                const Tensor& in, const Epilogue& epilogue = {}, const VnmPattern& vnm = {.v = 0});

/// Fails the test unless Multiply is near the same product in double. What is allowed is the error of adding up floats,
/// which grows with the sum of magnitudes, and that of rounding the output once. With activations of bf16, the weight
/// is rounded to bf16 in double, too.
void ExpectIsProduct(const LinearKernel& kernel, const Tensor& weight, const Mask& mask, Direction direction,
                     const Tensor& in, const Epilogue& epilogue = {}, const VnmPattern& vnm = {.v = 0});
/// The same in both directions, with random activations, if the kernel can take the problem.
void ExpectIsProduct(const LinearKernel& kernel, const Tensor& weight, const Mask& mask, int64_t batch);

}  // namespace twofour::sparse
