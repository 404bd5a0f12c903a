#include "tests/sparse/kernels/linear/linear_products.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "tests/support/exact_memory.h"
#include "tests/support/products.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

int64_t OutputCols(const Mask& mask, Direction direction) {
  return direction == Direction::kForward ? mask.rows() : mask.cols();
}

}  // namespace

LinearProblem ProblemFor(const LinearKernel& kernel, int64_t out, int64_t in, int64_t batch, Direction direction,
                         const MaskFormat& format) {
  return {.out_features = out,
          .in_features = in,
          .batch = batch,
          .direction = direction,
          .format = format,
          .input = kernel.activation,
          .output = kernel.activation};
}

Tensor Multiply(const LinearKernel& kernel, const Tensor& weight, const Mask& mask, Direction direction,
                const Tensor& in, const Epilogue& epilogue, const VnmPattern& vnm) {
  const std::vector<float> weights = weight.ToVector();
  MaskView view = mask.view();
  view.vnm = vnm;
  const auto packed = kernel.pack(weights.data(), view, direction);
  const std::vector<std::byte> input = test::ExactCopy(in.To(kernel.activation));
  test::GuardedOutput out({in.dim(0), OutputCols(mask, direction)}, kernel.activation);
  kernel.multiply(*packed, direction, in.dim(0), input.data(), epilogue, out.data());
  return out.Take();
}

void ExpectIsProduct(const LinearKernel& kernel, const Tensor& weight, const Mask& mask, Direction direction,
                     const Tensor& in, const Epilogue& epilogue, const VnmPattern& vnm) {
  SCOPED_TRACE(::testing::Message() << NameOf(direction) << ", weight [" << mask.rows() << ", " << mask.cols()
                                    << "], batch " << in.dim(0));
  const Tensor a = in.To(kernel.activation).To(DType::kF64);
  const Tensor b = ApplyMask(weight, mask).To(kernel.activation).To(DType::kF64);
  const int64_t n = OutputCols(mask, direction);
  const std::vector<double> bias =
      epilogue.bias == nullptr ? std::vector<double>() : std::vector<double>(epilogue.bias, epilogue.bias + n);
  const bool forward = direction == Direction::kForward;
  const kernels::GemmProblem<double> product{
      .m = in.dim(0),
      .n = n,
      .k = in.dim(1),
      .a = a.data<double>(),
      .lda = in.dim(1),
      .b = b.data<double>(),
      .ldb = mask.cols(),
      .transpose_b = forward ? kernels::Transpose::kYes : kernels::Transpose::kNo,
      .bias = bias.empty() ? nullptr : bias.data()};
  const auto squared = [](int64_t, int64_t, const test::Estimate& sum) { return test::ReluSquaredOf(sum); };
  test::ExpectNearProduct(Multiply(kernel, weight, mask, direction, in, epilogue, vnm), product,
                          epilogue.relu_squared ? test::Finish(squared) : test::Finish());
}

void ExpectIsProduct(const LinearKernel& kernel, const Tensor& weight, const Mask& mask, int64_t batch) {
  if (!Check(kernel, ProblemFor(kernel, mask.rows(), mask.cols(), batch, Direction::kForward, mask.format())).can()) {
    return;
  }
  ExpectIsProduct(kernel, weight, mask, Direction::kForward, test::RandomF32({batch, mask.cols()}, {.seed = 2}));
  ExpectIsProduct(kernel, weight, mask, Direction::kInputGrad, test::RandomF32({batch, mask.rows()}, {.seed = 3}));
}

}  // namespace twofour::sparse
