#include "twofour/sparse/row_packed_weight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/half.h"

#include "tests/support/for_each_isa.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::ExpectBitEqual;
using test::RandomF32;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

/// A mask that keeps n of m neighbours along rows, or sometimes fewer.
Mask RowsMask(int64_t rows, int64_t cols, int n, int m, bool sometimes_fewer) {
  Tensor kept = Tensor::Zeros({rows, cols}, DType::kBool);
  bool* const data = kept.mutable_data<bool>();
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t begin = 0; begin < cols; begin += m) {
      const int64_t count = sometimes_fewer && (row + begin) % 5 == 0 ? n - 1 : n;
      for (int64_t i = 0; i < count; ++i) {
        const int64_t col = begin + (row * 3 + begin / m + i * (m / n)) % m;
        if (col < cols) data[row * cols + col] = true;
      }
    }
  }
  return Mask::FromTensor(kept);
}

/// x W^T + bias in float64, where `weight` has zeros in place of what the mask drops.
std::vector<double> ByHand(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const int64_t batch = x.dim(0), cols = x.dim(1), rows = weight.dim(0);
  std::vector<double> y;
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t row = 0; row < rows; ++row) {
      double sum = bias.defined() ? bias.data<float>()[row] : 0;
      for (int64_t col = 0; col < cols; ++col) {
        sum += static_cast<double>(x.data<float>()[b * cols + col]) * weight.data<float>()[row * cols + col];
      }
      y.push_back(sum);
    }
  }
  return y;
}

struct Case {
  int64_t rows, cols;
  int n, m;
};
constexpr Case kCases[] = {{5, 16, 2, 4}, {7, 64, 2, 4}, {1, 4, 2, 4},  {6, 30, 2, 4},  {4, 48, 2, 4}, {9, 100, 2, 4},
                           {3, 32, 1, 4}, {5, 24, 2, 8}, {6, 40, 4, 8}, {3, 64, 8, 32}, {4, 21, 3, 6}};

TEST(RowPackedWeightTest, UnpacksToWhatWasKept) {
  for (const Case& c : kCases) {
    for (const bool fewer : {false, true}) {
      SCOPED_TRACE(std::to_string(c.n) + ":" + std::to_string(c.m) + " of " + std::to_string(c.cols));
      const Tensor weight = RandomF32({c.rows, c.cols}, {1});
      const Mask mask = RowsMask(c.rows, c.cols, c.n, c.m, fewer);
      const Tensor kept = ApplyMask(weight, mask);
      ExpectBitEqual(RowPackedWeight(weight, mask, MaskFormat::Rows(c.n, c.m), DType::kF32).Unpack(), kept);
      ExpectBitEqual(RowPackedWeight(weight, mask, MaskFormat::Rows(c.n, c.m), DType::kBF16).Unpack(),
                     kept.To(DType::kBF16).To(DType::kF32));
    }
  }
}

void ExpectProducts() {
  for (const Case& c : kCases) {
    for (const DType values : {DType::kF32, DType::kBF16}) {
      for (const int64_t batch : {1, 2, 3, 4, 5, 12, 13, 20}) {
        SCOPED_TRACE(std::to_string(c.n) + ":" + std::to_string(c.m) + " of " + std::to_string(c.cols) + ", batch " +
                     std::to_string(batch));
        const Tensor weight = RandomF32({c.rows, c.cols}, {1}), bias = RandomF32({c.rows}, {2});
        const Mask mask = RowsMask(c.rows, c.cols, c.n, c.m, batch % 2 == 0);
        const RowPackedWeight packed(weight, mask, MaskFormat::Rows(c.n, c.m), values);
        const Tensor x = RandomF32({batch, c.cols}, {3});
        for (const Tensor& b : {Tensor(), bias}) {
          const Tensor y = packed.Multiply(x, b);
          ASSERT_EQ(y.shape(), (Shape{batch, c.rows}));
          const std::vector<double> expected = ByHand(x, packed.Unpack(), b);
          for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(y.data<float>()[i], expected[i], 2e-5) << i;
        }
      }
    }
  }
}

TEST(RowPackedWeightTest, ProductsEqualTheDenseOnesOfWhatIsKept) {
  test::ForEachIsa([](Isa) { ExpectProducts(); });
}

TEST(RowPackedWeightTest, HalfActivationsAreRoundedOnce) {
  const Tensor weight = RandomF32({8, 64}, {1});
  const RowPackedWeight packed(weight, RowsMask(8, 64, 2, 4, false), MaskFormat::Rows(2, 4), DType::kBF16);
  for (const DType dtype : {DType::kBF16, DType::kF16}) {
    for (const int64_t batch : {1, 20}) {
      const Tensor x = RandomF32({batch, 64}, {3}).To(dtype);
      const Tensor y = packed.Multiply(x);
      EXPECT_EQ(y.dtype(), dtype);
      const std::vector<double> expected = ByHand(x.To(DType::kF32), packed.Unpack(), {});
      const std::vector<float> found = y.To(DType::kF32).ToVector();
      for (size_t i = 0; i < expected.size(); ++i) {
        EXPECT_NEAR(found[i], expected[i], std::abs(expected[i]) / 250 + 1e-5) << NameOf(dtype) << " " << i;
      }
    }
  }
}

TEST(RowPackedWeightTest, TakesAsManyBytesAsItPromises) {
  const Tensor weight = RandomF32({64, 256}, {1});
  const Mask mask = RowsMask(64, 256, 2, 4, false);
  const size_t dense16 = 64 * 256 * 2;
  EXPECT_EQ(RowPackedWeight(weight, mask, MaskFormat::Rows(2, 4), DType::kBF16).bytes() * 16, dense16 * 9);
  EXPECT_EQ(RowPackedWeight(weight, mask, MaskFormat::Rows(2, 4), DType::kF32).bytes() * 32, dense16 * 2 * 17);
}

TEST(RowPackedWeightTest, AnyNumberOfThreadsAndRowsGivesTheSameBits) {
  const Tensor weight = RandomF32({300, 128}, {1}), x = RandomF32({12, 128}, {3});
  const RowPackedWeight packed(weight, RowsMask(300, 128, 2, 4, false), MaskFormat::Rows(2, 4), DType::kF32);
  const Tensor all = packed.Multiply(x);
  const std::vector<float> whole = all.ToVector(), values = x.ToVector();
  for (size_t b = 0; b < 12; ++b) {
    const Tensor row = test::F32(
        {values.begin() + static_cast<int64_t>(b) * 128, values.begin() + static_cast<int64_t>(b + 1) * 128}, {1, 128});
    const std::vector<float> alone = packed.Multiply(row).ToVector();
    EXPECT_EQ(alone, std::vector<float>(whole.begin() + static_cast<int64_t>(b) * 300,
                                        whole.begin() + static_cast<int64_t>(b + 1) * 300));
  }
}

TEST(RowPackedWeightTest, EmptyAndManyDimensionalInputs) {
  const Tensor weight = RandomF32({8, 16}, {1});
  const RowPackedWeight packed(weight, RowsMask(8, 16, 2, 4, false), MaskFormat::Rows(2, 4), DType::kF32);
  EXPECT_EQ(packed.Multiply(Tensor::Empty({0, 16})).shape(), (Shape{0, 8}));
  EXPECT_EQ(packed.Multiply(RandomF32({2, 3, 16}, {2})).shape(), (Shape{2, 3, 8}));
  EXPECT_EQ(packed.Multiply(RandomF32({16}, {2})).shape(), (Shape{8}));
}

TEST(RowPackedWeightTest, RefusesWhatDoesNotFit) {
  const Tensor weight = RandomF32({4, 16}, {1});
  const Mask mask = RowsMask(4, 16, 2, 4, false);
  const MaskFormat two_of_four = MaskFormat::Rows(2, 4);
  EXPECT_TRUE(FitsRows(mask, two_of_four));
  EXPECT_FALSE(FitsRows(mask, MaskFormat::Rows(1, 4)));
  EXPECT_TRUE(FitsRows(mask, MaskFormat::Rows(4, 8)));
  const auto pack = [&](const Tensor& w, const Mask& m, const MaskFormat& pattern, DType values = DType::kF32) {
    RowPackedWeight(w, m, pattern, values);
  };
  EXPECT_THAT([&] { pack(weight, mask, MaskFormat::Rows(1, 4)); },
              ThrowsMessage<Error>(HasSubstr("row 0 keeps 2 of columns 0 to 3, expected at most 1")));
  EXPECT_THAT([&] { pack(weight, mask, MaskFormat::TwoOfFour()); }, ThrowsMessage<Error>(HasSubstr("n:m along rows")));
  EXPECT_THAT([&] { pack(weight, mask, MaskFormat::Rows(2, 64)); }, ThrowsMessage<Error>(HasSubstr("m up to 32")));
  EXPECT_THAT([&] { pack(RandomF32({4, 12}, {1}), mask, two_of_four); }, ThrowsMessage<Error>(HasSubstr("[4, 16]")));
  EXPECT_THAT([&] { pack(weight, mask, two_of_four, DType::kF16); },
              ThrowsMessage<Error>(HasSubstr("values of f16, expected f32 or bf16")));
  const RowPackedWeight packed(weight, mask, two_of_four, DType::kF32);
  EXPECT_THAT([&] { packed.Multiply(RandomF32({2, 12}, {2})); }, ThrowsMessage<Error>(HasSubstr("[..., 16]")));
  EXPECT_THAT(
      [&] {
        packed.Multiply(RandomF32({2, 16}, {2}), RandomF32({3}, {2}));
      },
      ThrowsMessage<Error>(HasSubstr("bias [3], expected [4]")));
  EXPECT_THAT([&] { packed.Multiply(Tensor()); }, ThrowsMessage<Error>(HasSubstr("x is undefined")));
}

}  // namespace
}  // namespace twofour::sparse
