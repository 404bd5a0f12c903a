// Products with V:N:M weights by tiles. tests/sparse/kernels/pair_bucket/vnm_test.cc has more of them, for all kernels
// that are made for V:N:M. Where AMX is emulated (scripts/test_amx.sh), the kernel with its instructions is tested too.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <vector>

#include "twofour/sparse/kernels/linear/linear_kernel.h"
#include "twofour/sparse/vnm_mask.h"

#include "tests/sparse/kernels/linear/linear_products.h"
#include "tests/sparse/kernels/linear/vnm_kernel_test.h"
#include "tests/support/case_tables.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::ExpectBitEqual;
using test::RandomF32;

std::vector<LinearKernel> KernelsOfTiles() {
  std::vector<LinearKernel> kernels;
  for (const LinearKernel& kernel : LinearKernels()) {
    if (kernel.layout == PackedLayout::kVnmTiles) kernels.push_back(kernel);
  }
  return kernels;
}

class Bf16VnmAmxTest : public VnmKernelTestBase {};

TEST_P(Bf16VnmAmxTest, IsAProductForBlocksOfWholeTiles) {
  for (const int v : {64, 80, 128, 256}) {
    for (const int m : {5, 8, 16, 32}) ExpectMultiplies(276, 172, {.v = v, .m = m}, 35);
  }
}

TEST_P(Bf16VnmAmxTest, IsAProductForSeveralSlices) {
  ExpectMultiplies(80, 5 * 200, {.v = 64, .m = 5}, 19);
  ExpectMultiplies(72, 8 * 192, {.v = 64, .m = 8}, 65);
  ExpectMultiplies(64 * 13, 40, {.v = 64, .m = 8}, 65);
  ExpectMultiplies(80 * 9 - 4, 40, {.v = 80, .m = 16}, 31);
}

TEST_P(Bf16VnmAmxTest, TheInnerPatternMayBeAnythingAlongRows) {
  ExpectMultiplies(140, 200, {.v = 64, .m = 10, .inner = VnmInner::kRows}, 35);
}

TEST_P(Bf16VnmAmxTest, ColumnsThatNoBlockKeepsDoNotMatter) {
  // Tiles are filled up with zeros, which must not meet such columns: 0 * inf is NaN.
  const VnmPattern pattern{.v = 64, .m = 8};
  Tensor weight = RandomF32({64, 24}, {.seed = 4}, 1, 2);
  for (int64_t i = 0; i < weight.numel(); ++i) weight.mutable_data<float>()[i] *= i % 8 < 4 ? 0.001f : 1.0f;
  const Mask mask = FindVnmMask(weight, pattern);
  const Tensor x = RandomF32({33, 24}, {.seed = 5});
  Tensor other = x.Clone();
  for (int64_t i = 0; i < x.numel(); ++i) {
    if (i % 8 < 4) other.mutable_data<float>()[i] = std::numeric_limits<float>::infinity();
  }
  const auto multiply = [&](const Tensor& in) {
    return Multiply(GetParam(), weight, mask, Direction::kForward, in, {}, pattern);
  };
  ExpectBitEqual(multiply(other), multiply(x));
}

TEST_P(Bf16VnmAmxTest, ThreadsDoNotMatter) { ExpectSameForAnyThreads(320, 832, {.v = 64, .m = 8}, 70); }

TEST_P(Bf16VnmAmxTest, TheEmulationGivesTheSameBits) {
  if (GetParam().emulated) GTEST_SKIP() << "this is the emulation";
  const LinearKernel emulated = KernelsOfTiles().back();
  ASSERT_TRUE(emulated.emulated);
  const VnmPattern pattern{.v = 80, .m = 8};
  const Tensor weight = RandomF32({164, 1000}, {.seed = 9});
  const Mask mask = FindVnmMask(weight, pattern);
  const Tensor x = RandomF32({70, 1000}, {.seed = 10}), dy = RandomF32({70, 164}, {.seed = 11});
  for (const auto& [direction, in] : {std::pair{Direction::kForward, &x}, {Direction::kInputGrad, &dy}}) {
    ExpectBitEqual(Multiply(GetParam(), weight, mask, direction, *in, {}, pattern),
                   Multiply(emulated, weight, mask, direction, *in, {}, pattern));
  }
}

TEST(Bf16VnmAmxCheckTest, WantsLargeBlocksOfWholeTilesAndSaysWhy) {
  for (const LinearKernel& kernel : KernelsOfTiles()) {
    const auto check = [&](const MaskFormat& format, int64_t out = 256) {
      return kernel.check(ProblemFor(kernel, out, 256, 2048, Direction::kForward, format));
    };
    EXPECT_EQ(check(MaskFormat::Unstructured()).rejection, Rejection::kFormat);
    EXPECT_EQ(check(MaskFormat::Vnm({.v = 64, .m = 8}), 254).rejection, Rejection::kNotTiled);
    EXPECT_EQ(check(MaskFormat::TwoOfFour()).rejection, Rejection::kNoVnm);
    for (const int v : {4, 48, 68, 100}) {
      const Verdict verdict = check(MaskFormat::Vnm({.v = v, .m = 8}));
      EXPECT_EQ(verdict.rejection, kernel.emulated ? Rejection::kEmulated : Rejection::kSmallBlocks) << v;
      EXPECT_TRUE(verdict.can());
    }
    for (const VnmInner inner : {VnmInner::kTransposable, VnmInner::kRows}) {
      const Verdict verdict = check(MaskFormat::Vnm({.v = 80, .m = 8, .inner = inner}));
      EXPECT_EQ(verdict.rejection, kernel.emulated ? Rejection::kEmulated : Rejection::kUnmeasured);
      EXPECT_TRUE(verdict.can());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Table, Bf16VnmAmxTest, ::testing::ValuesIn(KernelsOfTiles()), test::ByName());

}  // namespace
}  // namespace twofour::sparse
