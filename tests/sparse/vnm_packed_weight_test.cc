#include "twofour/sparse/vnm_packed_weight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <type_traits>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/vnm_mask.h"

#include "tests/support/expect_error.h"
#include "tests/support/for_each_isa.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::ExpectBitEqual;
using test::RandomF32;

struct Case {
  int64_t rows, cols;
  int v, m;
};
constexpr Case kCases[] = {{1, 1, 4, 5},  {4, 8, 4, 8},      {5, 16, 4, 8},     {7, 19, 4, 6},  {70, 33, 64, 8},
                           {9, 3, 8, 32}, {66, 100, 16, 16}, {130, 64, 64, 16}, {12, 129, 8, 5}};

Tensor VnmWeightOf(const Case& c, VnmInner inner = VnmInner::kTransposable) {
  const Tensor weight = RandomF32({c.rows, c.cols}, {.seed = 1});
  return ApplyMask(weight, FindVnmMask(weight, {.v = c.v, .m = c.m, .inner = inner}));
}

PackedVnm PackedOf(const Case& c, const Tensor& weight) { return PackVnm(weight, {.v = c.v, .m = c.m}, "w"); }

/// The sum of x[b] times a row of the weight, in float64.
double ProductByHand(const Tensor& x, int64_t b, const Tensor& weight, int64_t row) {
  double sum = 0;
  for (int64_t col = 0; col < weight.dim(1); ++col) {
    sum += static_cast<double>(x.data<float>()[b * x.dim(1) + col]) * weight.data<float>()[row * weight.dim(1) + col];
  }
  return sum;
}

TEST(VnmPackedWeightTest, UnpacksToWhatWasKept) {
  for (const Case& c : kCases) {
    for (const VnmInner inner : {VnmInner::kTransposable, VnmInner::kRows}) {
      const VnmPattern pattern{.v = c.v, .m = c.m, .inner = inner};
      SCOPED_TRACE(pattern.ToString() + " of " + std::to_string(c.cols));
      const Tensor weight = VnmWeightOf(c, inner);
      const VnmPackedWeight packed(PackedOf(c, weight), DType::kF32, "w");
      ExpectBitEqual(packed.Unpack(), weight);
      EXPECT_EQ(packed.pattern().Ratio(), MaskFormat::Vnm(pattern).Ratio());
      const Tensor rounded = weight.To(DType::kBF16).To(DType::kF32);
      ExpectBitEqual(VnmPackedWeight(PackedOf(c, weight), DType::kBF16, "w").Unpack(), rounded);
      // Files hold other dtypes, too.
      ExpectBitEqual(VnmPackedWeight(PackedOf(c, rounded.To(DType::kBF16)), DType::kF32, "w").Unpack(), rounded);
    }
  }
}

TEST(VnmPackedWeightTest, ProductsEqualTheDenseOnesOfWhatIsKept) {
  test::ForEachIsa([](Isa) {
    for (const Case& c : kCases) {
      for (const DType values : {DType::kF32, DType::kBF16}) {
        const VnmPackedWeight packed(PackedOf(c, VnmWeightOf(c)), values, "w");
        const Tensor weight = packed.Unpack(), bias = RandomF32({c.rows}, {.seed = 2});
        for (const int64_t batch : {1, 2, 5, 12, 13}) {
          SCOPED_TRACE(packed.pattern().ToString() + ", batch " + std::to_string(batch));
          const Tensor x = RandomF32({batch, c.cols}, {.seed = 3});
          const Tensor y = packed.Multiply(x), with_bias = packed.Multiply(x, bias);
          ASSERT_EQ(y.shape(), (Shape{batch, c.rows}));
          for (int64_t i = 0; i < y.numel(); ++i) {
            const int64_t row = i % c.rows;
            const double expected = ProductByHand(x, i / c.rows, weight, row);
            EXPECT_NEAR(y.data<float>()[i], expected, 2e-5) << i;
            EXPECT_NEAR(with_bias.data<float>()[i], expected + bias.data<float>()[row], 2e-5) << i;
          }
        }
      }
    }
  });
}

TEST(VnmPackedWeightTest, HalfActivationsAreRoundedOnce) {
  const Case c{70, 96, 64, 8};
  const VnmPackedWeight packed(PackedOf(c, VnmWeightOf(c)), DType::kBF16, "w");
  for (const int64_t batch : {1, 20}) {
    const Tensor x = RandomF32({batch, c.cols}, {.seed = 3}).To(DType::kBF16);
    const Tensor y = packed.Multiply(x);
    EXPECT_EQ(y.dtype(), DType::kBF16);
    const std::vector<float> found = y.To(DType::kF32).ToVector();
    for (int64_t i = 0; i < y.numel(); ++i) {
      const double expected = ProductByHand(x.To(DType::kF32), i / c.rows, packed.Unpack(), i % c.rows);
      EXPECT_NEAR(found[static_cast<size_t>(i)], expected, std::abs(expected) / 250 + 1e-5) << i;
    }
  }
}

TEST(VnmPackedWeightTest, AnyNumberOfThreadsAndRowsGivesTheSameBits) {
  const internal::AlwaysShare share;
  const Case c{1030, 512, 16, 8};
  const VnmPackedWeight packed(PackedOf(c, VnmWeightOf(c)), DType::kF32, "w");
  const Tensor x = RandomF32({6, c.cols}, {.seed = 3});
  const int before = NumThreads();
  SetNumThreads(1);
  const Tensor alone = packed.Multiply(x);
  const Tensor first = packed.Multiply(test::F32({x.data<float>(), x.data<float>() + c.cols}, {1, c.cols}));
  EXPECT_EQ(first.ToVector(), std::vector<float>(alone.data<float>(), alone.data<float>() + c.rows));
  for (const int threads : {2, 3, 7}) {
    SetNumThreads(threads);
    ExpectBitEqual(packed.Multiply(x), alone);
  }
  SetNumThreads(before);
}

TEST(VnmPackedWeightTest, TakesLessMemoryThanItsFile) {
  const Case c{256, 512, 64, 8};
  const VnmPackedWeight packed(PackedOf(c, VnmWeightOf(c)), DType::kBF16, "w");
  // Two values of 16 bits and 4 bits of position in each 8 columns, and four columns of 32 bits in each block.
  EXPECT_EQ(packed.bytes(), static_cast<size_t>(256 * 512 / 8 * 4 + 256 * 512 / 16 + 4 * 64 * 16));
  EXPECT_LE(static_cast<double>(packed.bytes()), 0.30 * 256 * 512 * 2);
}

TEST(VnmPackedWeightTest, IsMadeOfPartsThatAreChecked) {
  // A dense matrix cannot even be given.
  static_assert(!std::is_constructible_v<VnmPackedWeight, Tensor, DType, std::string>);
  const Case c{6, 16, 4, 8};
  const auto with = [&](DType values, auto change) {
    PackedVnm parts = PackedOf(c, VnmWeightOf(c));
    change(parts);
    VnmPackedWeight(parts, values, "w");
  };
  with(DType::kF32, [](PackedVnm&) {});
  EXPECT_ERROR(with(DType::kF32, [](PackedVnm& p) { p.columns.mutable_data<uint8_t>()[7] = 8; }),
               ErrorKind::kInvalidInput, ::testing::HasSubstr("w: rows 0 to 3, columns 8 to 15: keeps columns "));
  EXPECT_ERROR(with(DType::kF32, [](PackedVnm& p) { p.positions = Tensor(); }), ErrorKind::kInvalidInput,
               "w: positions are undefined, expected u8 [6, 1]");
  EXPECT_ERROR(with(DType::kF16, [](PackedVnm&) {}), ErrorKind::kInvalidInput,
               "w: values of f16, expected f32 or bf16");
}

}  // namespace
}  // namespace twofour::sparse
