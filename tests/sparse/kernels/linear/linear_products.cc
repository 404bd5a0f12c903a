#include "tests/sparse/kernels/linear/linear_products.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <vector>

#include "tests/support/products.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

int64_t OutputCols(const Mask& mask, Direction direction) {
  return direction == Direction::kForward ? mask.rows() : mask.cols();
}

/// Two NaNs of bf16, or one float.
constexpr std::byte kOldContents{0xff};

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
                const Tensor& in, const Epilogue& epilogue) {
  const std::vector<float> weights = weight.ToVector();
  const auto packed = kernel.pack(weights.data(), mask.view(), direction);
  Tensor out = Tensor::Empty({in.dim(0), OutputCols(mask, direction)}, kernel.activation);
  const Tensor rounded = in.To(kernel.activation);
  const size_t in_bytes = static_cast<size_t>(in.numel()) * SizeOf(kernel.activation);
  const size_t out_bytes = static_cast<size_t>(out.numel()) * SizeOf(kernel.activation);
  std::vector<std::byte> input(in_bytes);
  if (in_bytes > 0) std::memcpy(input.data(), rounded.raw(), in_bytes);
  constexpr size_t kGuard = 256;
  std::vector<std::byte> output(kGuard + out_bytes + kGuard, kOldContents);
  kernel.multiply(*packed, direction, in.dim(0), input.data(), epilogue, output.data() + kGuard);
  const auto is_old = [](std::byte byte) { return byte == kOldContents; };
  EXPECT_TRUE(std::all_of(output.begin(), output.begin() + kGuard, is_old)) << "written before the output";
  EXPECT_TRUE(std::all_of(output.end() - kGuard, output.end(), is_old)) << "written behind the output";
  if (out_bytes > 0) std::memcpy(out.mutable_raw(), output.data() + kGuard, out_bytes);
  return out;
}

void ExpectIsProduct(const LinearKernel& kernel, const Tensor& weight, const Mask& mask, Direction direction,
                     const Tensor& in, const Epilogue& epilogue) {
  const bool bf16 = kernel.activation == DType::kBF16, forward = direction == Direction::kForward;
  SCOPED_TRACE(::testing::Message() << NameOf(direction) << ", weight [" << mask.rows() << ", " << mask.cols()
                                    << "], batch " << in.dim(0));
  const Tensor actual = Multiply(kernel, weight, mask, direction, in, epilogue).To(DType::kF64);
  const Tensor a = in.To(kernel.activation).To(DType::kF64);
  const Tensor b = ApplyMask(weight, mask).To(kernel.activation).To(DType::kF64);
  const kernels::GemmProblem<double> product{
      .m = in.dim(0),
      .n = OutputCols(mask, direction),
      .k = in.dim(1),
      .a = a.data<double>(),
      .lda = in.dim(1),
      .b = b.data<double>(),
      .ldb = mask.cols(),
      .transpose_b = forward ? kernels::Transpose::kYes : kernels::Transpose::kNo};
  const double last_rounding = bf16 ? 0x1p-8 : 0x1p-24;
  for (int64_t i = 0; i < product.m; ++i) {
    for (int64_t j = 0; j < product.n; ++j) {
      const double bias = epilogue.bias == nullptr ? 0.0 : static_cast<double>(epilogue.bias[j]);
      const test::InnerProduct sum = test::InnerProductOf(product, i, j, bias);
      double expected = sum.sum, allowed = 0x1p-24 * static_cast<double>(product.k + 3) * sum.magnitude;
      if (epilogue.relu_squared) {
        allowed = 2 * std::abs(sum.sum) * allowed + allowed * allowed;
        expected = sum.sum > 0 ? sum.sum * sum.sum : 0.0;
      }
      allowed += last_rounding * (std::abs(expected) + allowed);
      const double value = actual.data<double>()[i * product.n + j];
      ASSERT_LE(std::abs(value - expected), allowed) << value << " at " << i << ", " << j << ", expected " << expected;
    }
  }
}

void ExpectIsProduct(const LinearKernel& kernel, const Tensor& weight, const Mask& mask, int64_t batch) {
  if (!Check(kernel, ProblemFor(kernel, mask.rows(), mask.cols(), batch, Direction::kForward, mask.format())).can()) {
    return;
  }
  ExpectIsProduct(kernel, weight, mask, Direction::kForward, test::RandomF32({batch, mask.cols()}, {.seed = 2}));
  ExpectIsProduct(kernel, weight, mask, Direction::kInputGrad, test::RandomF32({batch, mask.rows()}, {.seed = 3}));
}

}  // namespace twofour::sparse
