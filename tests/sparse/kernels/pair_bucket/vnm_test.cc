// Products with V:N:M weights, on every kernel that is made for them.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <tuple>
#include <vector>

#include "twofour/sparse/kernels/linear/linear_kernel.h"
#include "twofour/sparse/vnm_mask.h"

#include "tests/sparse/kernels/linear/linear_products.h"
#include "tests/sparse/kernels/linear/vnm_kernel_test.h"
#include "tests/support/case_tables.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::RandomF32;

std::vector<LinearKernel> MadeForVnm() {
  std::vector<LinearKernel> kernels;
  for (const LinearKernel& kernel : LinearKernels()) {
    const LinearProblem problem = ProblemFor(kernel, 64, 64, 1024, Direction::kForward, MaskFormat::Vnm({}));
    if (kernel.check(problem).can() && kernel.name.starts_with("vnm")) kernels.push_back(kernel);
  }
  return kernels;
}

class VnmKernelTest : public VnmKernelTestBase {};

TEST_P(VnmKernelTest, IsAProductForEveryPattern) {
  for (const int v : {4, 8, 12, 64, 132, 256}) {
    for (const int m : {5, 6, 8, 13, 16, 31, 32}) {
      for (const auto& [rows, cols] : {std::pair{64, 64}, {140, 100}, {4, 36}}) {
        ExpectMultiplies(rows, cols, {.v = v, .m = m}, 9);
      }
    }
  }
}

TEST_P(VnmKernelTest, IsAProductForAnyNumberOfRowsAndSeveralBlocks) {
  for (const int64_t batch : {1, 17, 48, 64, 65, 130}) ExpectMultiplies(96, 80, {.v = 16, .m = 8}, batch);
  ExpectMultiplies(1044, 36, {.v = 64, .m = 8}, 40);
  ExpectMultiplies(36, 1300, {.v = 64, .m = 16}, 40);
  ExpectMultiplies(520, 516, {.v = 256, .m = 7}, 70);
  ExpectMultiplies(4100, 8, {.v = 100, .m = 6}, 5);
  ExpectMultiplies(400, 2100, {.v = 64, .m = 5}, 70);
}

TEST_P(VnmKernelTest, RowsThatNoBlockKeepsGetTheEpilogue) {
  // The last columns of a block are never kept, so that the gradient of their inputs is the bias alone.
  Tensor weight = Tensor::Zeros({16, 16});
  for (int64_t i = 0; i < weight.numel(); ++i) weight.mutable_data<float>()[i] = i % 8 < 4 ? 1.0f : 0.5f;
  const VnmPattern pattern{.v = 16, .m = 8};
  const Mask mask = FindVnmMask(weight, pattern);
  const Tensor bias = RandomF32({16}, {.seed = 5});
  const Tensor dy = RandomF32({70, 16}, {.seed = 6});
  ExpectIsProduct(GetParam(), weight, mask, Direction::kInputGrad, dy, {.bias = bias.data<float>()}, pattern);
  ExpectIsProduct(GetParam(), weight, mask, Direction::kInputGrad, dy, {.relu_squared = true}, pattern);
  ExpectIsProduct(GetParam(), weight, mask, Direction::kForward, dy, {.bias = bias.data<float>(), .relu_squared = true},
                  pattern);
}

TEST_P(VnmKernelTest, ThreadsDoNotMatter) { ExpectSameForAnyThreads(256, 576, {.v = 32, .m = 6}, 300); }

INSTANTIATE_TEST_SUITE_P(Table, VnmKernelTest, ::testing::ValuesIn(MadeForVnm()), test::ByName());

}  // namespace
}  // namespace twofour::sparse
