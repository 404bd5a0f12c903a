#include "twofour/sparse/kernels/linear_kernel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include "twofour/core/error.h"

#include "tests/support/scoped_env.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {

void PrintTo(const LinearKernel& kernel, std::ostream* out) { *out << kernel.name; }

namespace {

using test::ExpectBitEqual;
using test::ExpectClose;
using test::RandomF32;
using test::ScopedEnv;
using test::ScopedNumThreads;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::ThrowsMessage;

/// in [batch, k] times matrix [n, k] transposed, or matrix [k, n], summed in double.
Tensor Product(const Tensor& in, const Tensor& matrix, bool transposed) {
  const int64_t batch = in.dim(0), k = in.dim(1), n = transposed ? matrix.dim(0) : matrix.dim(1);
  Tensor out = Tensor::Empty({batch, n});
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t i = 0; i < k; ++i) {
        const float w = matrix.data<float>()[transposed ? j * k + i : i * n + j];
        sum += static_cast<double>(in.data<float>()[b * k + i]) * static_cast<double>(w);
      }
      out.mutable_data<float>()[b * n + j] = static_cast<float>(sum);
    }
  }
  return out;
}

Tensor RunForward(const LinearKernel& kernel, const Tensor& weight, const Mask& mask, const Tensor& x) {
  const auto packed = kernel.pack(weight.data<float>(), mask);
  Tensor y = Tensor::Full({x.dim(0), mask.rows()}, 1e30);  // What was there before must not matter.
  kernel.forward(*packed, x.dim(0), x.data<float>(), y.mutable_data<float>());
  return y;
}

Tensor RunInputGrad(const LinearKernel& kernel, const Tensor& weight, const Mask& mask, const Tensor& dy) {
  const auto packed = kernel.pack(weight.data<float>(), mask);
  Tensor dx = Tensor::Full({dy.dim(0), mask.cols()}, 1e30);
  kernel.input_grad(*packed, dy.dim(0), dy.data<float>(), dx.mutable_data<float>());
  return dx;
}

/// Every kernel of the table.
class LinearKernelTest : public ::testing::TestWithParam<LinearKernel> {
 protected:
  void ExpectIsProduct(const Tensor& weight, const Mask& mask, int64_t batch) {
    const LinearKernel& kernel = GetParam();
    const LinearShape shape{mask.rows(), mask.cols(), batch};
    if (!kernel.why_not(shape).empty()) return;
    SCOPED_TRACE(::testing::Message() << "weight [" << mask.rows() << ", " << mask.cols() << "], batch " << batch);
    const Tensor masked = ApplyMask(weight, mask);
    const Tensor x = RandomF32({batch, mask.cols()}, {.seed = 2}), dy = RandomF32({batch, mask.rows()}, {.seed = 3});
    ExpectClose(RunForward(kernel, weight, mask, x), Product(x, masked, true), 1e-5, 1e-5);
    ExpectClose(RunInputGrad(kernel, weight, mask, dy), Product(dy, masked, false), 1e-5, 1e-5);
  }
};

TEST_P(LinearKernelTest, IsAProductWithTheMaskedWeight) {
  for (int64_t out : {4, 12, 64, 100}) {
    for (int64_t in : {4, 12, 64, 132}) {
      const Tensor weight = RandomF32({out, in}, {.seed = 1, .stream = static_cast<uint32_t>(out * 1000 + in)});
      for (MaskAlgorithm algorithm : {MaskAlgorithm::kExact, MaskAlgorithm::kGreedy}) {
        const Mask mask = FindMask(weight, algorithm);
        for (int64_t batch : {0, 1, 3, 17, 64}) ExpectIsProduct(weight, mask, batch);
      }
    }
  }
}

TEST_P(LinearKernelTest, TakesTilesThatKeepFewerThanEight) {
  const Tensor weight = RandomF32({16, 16}, {.seed = 4});
  Mask mask(16, 16);
  ExpectIsProduct(weight, mask, 5);  // Nothing kept.
  mask.tiles()[3] = 0b1000'0000'0100'0001;
  mask.tiles()[10] = GreedyTileMask({2, 1, 2, 3, 1, 8, 1, 6, 1, 1, 4, 5, 1, 3, 7, 1});
  ASSERT_EQ(CountKept(mask.tiles()[10]), 7);
  ExpectIsProduct(weight, mask, 5);
}

TEST_P(LinearKernelTest, PrunedWeightsAreNotRead) {
  const Tensor weight = RandomF32({16, 32}, {.seed = 5});
  const Mask mask = FindMask(weight, MaskAlgorithm::kExact);
  Tensor poisoned = weight.Clone();
  for (int64_t i = 0; i < weight.numel(); ++i) {
    if (!mask.Keeps(i / 32, i % 32)) poisoned.mutable_data<float>()[i] = std::numeric_limits<float>::quiet_NaN();
  }
  const Tensor x = RandomF32({3, 32}, {.seed = 6}), dy = RandomF32({3, 16}, {.seed = 7});
  ExpectBitEqual(RunForward(GetParam(), poisoned, mask, x), RunForward(GetParam(), weight, mask, x));
  ExpectBitEqual(RunInputGrad(GetParam(), poisoned, mask, dy), RunInputGrad(GetParam(), weight, mask, dy));
}

TEST_P(LinearKernelTest, ThreadsDoNotMatter) {
  // Enough rows and columns to be shared out: blocks of a dense product are 256 x 512.
  const Tensor weight = RandomF32({64, 576}, {.seed = 8});
  const Mask mask = FindMask(weight, MaskAlgorithm::kExact);
  const Tensor x = RandomF32({600, 576}, {.seed = 9}), dy = RandomF32({600, 64}, {.seed = 10});
  const ScopedNumThreads one(1);
  const Tensor y = RunForward(GetParam(), weight, mask, x), dx = RunInputGrad(GetParam(), weight, mask, dy);
  for (int threads : {2, 3}) {
    const ScopedNumThreads more(threads);
    ExpectBitEqual(RunForward(GetParam(), weight, mask, x), y);
    ExpectBitEqual(RunInputGrad(GetParam(), weight, mask, dy), dx);
  }
}

TEST_P(LinearKernelTest, SaysWhyItRefusesAShape) {
  for (const LinearShape& shape : {LinearShape{6, 8, 1}, LinearShape{8, 6, 1}}) {
    EXPECT_THAT(GetParam().why_not(shape), Not(IsEmpty()));
  }
}

TEST_P(LinearKernelTest, DescribesItself) {
  EXPECT_THAT(GetParam().name, Not(IsEmpty()));
  EXPECT_THAT(GetParam().instruction_set, Not(IsEmpty()));
  EXPECT_THAT(GetParam().tiling, Not(IsEmpty()));
  const Tensor weight = RandomF32({16, 16}, {.seed = 11});
  const auto packed = GetParam().pack(weight.data<float>(), FindMask(weight, MaskAlgorithm::kExact));
  EXPECT_GE(packed->bytes(), 128 * sizeof(float));  // The kept values at least.
}

TEST_P(LinearKernelTest, CanBeForced) {
  const ScopedEnv env("TWOFOUR_KERNEL", std::string(GetParam().name));
  const LinearShape shape{64, 64, 32};
  if (GetParam().why_not(shape).empty()) {
    EXPECT_EQ(ChooseLinearKernel(shape).kernel->name, GetParam().name);
    EXPECT_THAT(ChooseLinearKernel(shape).reason, HasSubstr("TWOFOUR_KERNEL"));
  }
  EXPECT_THAT(
      [] {
        ChooseLinearKernel({6, 8, 1});
      },
      ThrowsMessage<Error>(
          AllOf(HasSubstr("TWOFOUR_KERNEL"), HasSubstr(std::string(GetParam().name)), HasSubstr("[6, 8]"))));
}

INSTANTIATE_TEST_SUITE_P(Table, LinearKernelTest, ::testing::ValuesIn(LinearKernels().begin(), LinearKernels().end()),
                         [](const auto& param_info) { return std::string(param_info.param.name); });

TEST(LinearKernelsTest, TheGreedyMasksOfTheseTestsHoldTilesOfSeven) {
  const Mask mask = FindMask(RandomF32({64, 64}, {.seed = 1, .stream = 64 * 1000 + 64}), MaskAlgorithm::kGreedy);
  EXPECT_LT(mask.CountKept(), 64 * 64 / 2);
}

TEST(LinearKernelsTest, NamesDifferAndTheReferenceIsLast) {
  std::vector<std::string_view> names;
  for (const LinearKernel& kernel : LinearKernels()) names.push_back(kernel.name);
  ASSERT_FALSE(names.empty());
  EXPECT_EQ(names.back(), "scalar_reference");
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

TEST(ChooseLinearKernelTest, TakesTheFirstThatCan) {
  const ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
  for (const LinearShape& shape : {LinearShape{64, 64, 32}, LinearShape{4, 4, 1}, LinearShape{12, 100, 0}}) {
    const auto table = LinearKernels();
    const auto first = std::find_if(table.begin(), table.end(),
                                    [&](const LinearKernel& kernel) { return kernel.why_not(shape).empty(); });
    ASSERT_NE(first, table.end());
    const LinearKernelChoice choice = ChooseLinearKernel(shape);
    EXPECT_EQ(choice.kernel, &*first);
    EXPECT_THAT(choice.reason, Not(IsEmpty()));
    EXPECT_THAT(choice.reason, Not(HasSubstr(std::string(first->name))));
  }
}

TEST(ChooseLinearKernelTest, ListsAllRejectionsWhereNoneCan) {
  const ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
  for (const LinearKernel& kernel : LinearKernels()) {
    EXPECT_THAT(
        [] {
          ChooseLinearKernel({8, 10, 4});
        },
        ThrowsMessage<Error>(AllOf(HasSubstr("[8, 10]"), HasSubstr(std::string(kernel.name)))));
  }
}

}  // namespace
}  // namespace twofour::sparse
