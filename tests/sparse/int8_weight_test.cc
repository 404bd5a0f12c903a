#include "twofour/sparse/int8_weight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "twofour/core/error.h"
#include "twofour/sparse/mask_of_pattern.h"

#include "tests/sparse/patterns.h"
#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::RandomF32;
using ::testing::HasSubstr;

constexpr float kNotANumber = std::numeric_limits<float>::quiet_NaN();

Mask Whole(int64_t rows, int64_t cols) { return Mask::FromTensor(Tensor::Full({rows, cols}, 1, DType::kBool)); }

TEST(QuantizeRowsTest, RoundsEachRowByItsOwnLargest) {
  const Int8Matrix matrix = QuantizeRows(test::F32({12.7F, -3.04F, 0.05F, 0, 0, 0, -1e-44F, 0, 5e-45F}, {3, 3}));
  EXPECT_FLOAT_EQ(matrix.scales.data<float>()[0], 0.1F);
  EXPECT_EQ(matrix.values.data<int8_t>()[0], 127);
  EXPECT_EQ(matrix.values.data<int8_t>()[1], -30);
  EXPECT_EQ(matrix.values.data<int8_t>()[2], 0);
  EXPECT_EQ(matrix.scales.data<float>()[1], 1);
  EXPECT_GT(matrix.scales.data<float>()[2], 0);
  RequireInt8Matrix(matrix, "test");
}

TEST(QuantizeRowsTest, NoNumberMovesByMoreThanHalfAStep) {
  const Tensor weight = RandomF32({50, 77}, {1}, -3, 3);
  const Int8Matrix matrix = QuantizeRows(weight);
  for (int64_t i = 0; i < weight.numel(); ++i) {
    const double scale = matrix.scales.data<float>()[i / 77];
    EXPECT_LE(std::fabs(scale * matrix.values.data<int8_t>()[i] - weight.data<float>()[i]), 0.50001 * scale);
  }
}

TEST(QuantizeRowsTest, RefusesWhatIsNotFinite) {
  EXPECT_ERROR(QuantizeRows(test::F32({1, 2, 3, kNotANumber}, {2, 2}), "c_fc.weight"), ErrorKind::kRuntimeFailure,
               HasSubstr("c_fc.weight: nan at [1, 1], expected finite numbers"));
  EXPECT_ERROR(QuantizeRows(Tensor::Zeros({4})), ErrorKind::kInvalidInput, HasSubstr("expected f32 [rows, cols]"));
}

TEST(QuantizeRowsTest, TheLargestFloatsStayFinite) {
  const float largest = std::numeric_limits<float>::max();
  const Int8Matrix matrix = QuantizeRows(test::F32({largest, 1, -largest, largest / 2}, {2, 2}), "w");
  RequireInt8Matrix(matrix, "w");
  EXPECT_EQ(matrix.values.data<int8_t>()[0], 127);
  EXPECT_EQ(matrix.values.data<int8_t>()[2], -127);
  for (const float scale : matrix.scales.ToVector()) EXPECT_TRUE(std::isfinite(127 * scale));
}

TEST(RequireInt8MatrixTest, RefusesWhatNoFileShouldHold) {
  const auto refuses = [](const Int8Matrix& matrix, const std::string& why) {
    EXPECT_ERROR(RequireInt8Matrix(matrix, "f: w"), ErrorKind::kInvalidInput, HasSubstr("f: w: " + why));
  };
  const Tensor values = Tensor::Zeros({2, 3}, DType::kI8);
  refuses({values, test::F32({1, 0}, {2})}, "the scale of row 1 is 0, expected a number above 0 with which");
  refuses({values, test::F32({-1, 1}, {2})}, "the scale of row 0 is -1");
  refuses({values, test::F32({1, kNotANumber}, {2})}, "the scale of row 1 is nan");
  refuses({values, test::F32({1, HUGE_VALF}, {2})}, "the scale of row 1 is inf");
  refuses({values, test::F32({1, 3e38F}, {2})}, "the scale of row 1 is 3e+38");
  refuses({values, test::F32({1}, {1})}, "scales f32 [1], expected f32 [2], one for each row");
  refuses({values, Tensor::Zeros({2}, DType::kF64)}, "scales f64 [2]");
  refuses({Tensor::Zeros({2, 3}), test::F32({1, 1}, {2})}, "values f32 [2, 3], expected i8 [rows, cols]");
  refuses({Tensor::Zeros({1, kMostInt8Columns + 1}, DType::kI8), test::F32({1}, {1})}, "65537 columns");
  Tensor low = values.Clone();
  low.mutable_data<int8_t>()[4] = -128;
  refuses({low, test::F32({1, 1}, {2})}, "value -128 at [1, 1], expected -127 to 127");
}

TEST(Int8WeightTest, IsNearTheProductInFloats) {
  for (const char* const text : {"transposable:2:4", "8:2:8", "2:4", "dense"}) {
    SCOPED_TRACE(text);
    const Tensor dense = RandomF32({48, 64}, {2});
    const bool whole = text == std::string("dense");
    const Mask mask = whole ? Whole(48, 64) : FindMaskOf(dense, test::PatternOf(text));
    const MaskFormat format = whole ? MaskFormat::Dense() : test::PatternOf(text).format;
    const Tensor weight = ApplyMask(dense, mask), bias = RandomF32({48}, {3});
    const Int8Weight packed(QuantizeRows(weight), mask, format);
    EXPECT_EQ(packed.pattern(), format);
    EXPECT_EQ(packed.dtype(), DType::kI8);
    test::ExpectBitEqual(packed.Values(), QuantizeRows(weight).values);
    const Tensor unpacked = packed.Unpack();
    test::ExpectClose(unpacked, weight, 0, 0.005);
    for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
      const Tensor x = RandomF32({2, 3, 64}, {4}).To(dtype);
      const Tensor y = packed.Multiply(x, bias);
      EXPECT_EQ(y.shape(), (Shape{2, 3, 48}));
      EXPECT_EQ(y.dtype(), dtype);
      const Tensor wide = x.To(DType::kF32), result = y.To(DType::kF32);
      for (int64_t t = 0; t < 6; ++t) {
        for (int64_t n = 0; n < 48; ++n) {
          double sum = bias.data<float>()[n], magnitudes = 0;
          for (int64_t k = 0; k < 64; ++k) {
            sum += double{wide.data<float>()[t * 64 + k]} * unpacked.data<float>()[n * 64 + k];
            magnitudes += std::fabs(unpacked.data<float>()[n * 64 + k]);
          }
          // Half a step of the activations, of which there are 255 between -1 and 1, and the rounding of the result.
          EXPECT_NEAR(result.data<float>()[t * 48 + n], sum, magnitudes / 255 + std::fabs(sum) / 128);
        }
      }
    }
  }
}

TEST(Int8WeightTest, AGivenRangeIsUsed) {
  const Tensor weight = RandomF32({8, 16}, {5});
  const Int8Weight packed(QuantizeRows(weight), Whole(8, 16), MaskFormat::Dense(), Int8Range{.scale = 1});
  // Everything from 0 to 0.4 is nearest to 0.
  const Tensor y = packed.Multiply(RandomF32({3, 16}, {6}, 0, 0.4));
  for (int64_t i = 0; i < y.numel(); ++i) EXPECT_EQ(y.data<float>()[i], 0);
}

TEST(Int8WeightTest, NoRowsGiveNoRows) {
  const Int8Weight packed(QuantizeRows(RandomF32({8, 16}, {5})), Whole(8, 16), MaskFormat::Dense());
  EXPECT_EQ(packed.Multiply(Tensor::Zeros({0, 16})).shape(), (Shape{0, 8}));
}

TEST(Int8WeightTest, RefusesWhatDoesNotFit) {
  const Int8Matrix matrix = QuantizeRows(RandomF32({8, 16}, {5}));
  EXPECT_ERROR(Int8Weight(matrix, Whole(8, 12), MaskFormat::Dense()), ErrorKind::kInvalidInput,
               HasSubstr("values [8, 16], expected the mask's shape [8, 12]"));
  for (const Int8Range& range : {Int8Range{0, 0}, Int8Range{kNotANumber, 0}, Int8Range{1, 256}, Int8Range{1, -1}}) {
    EXPECT_ERROR(Int8Weight(matrix, Whole(8, 16), MaskFormat::Dense(), range), ErrorKind::kInvalidInput,
                 HasSubstr("expected a finite scale above 0 and 0 to 255"));
  }
}

TEST(Int8WeightTest, A24WeightTakesAboutAByteForEachEntry) {
  const Tensor dense = RandomF32({256, 256}, {7});
  const Mask mask = FindMaskOf(dense, test::PatternOf("transposable:2:4"));
  const Int8Weight packed(QuantizeRows(ApplyMask(dense, mask)), mask, MaskFormat::TwoOfFour());
  EXPECT_LT(packed.bytes(), 256 * 256 * 1.25);
}

}  // namespace
}  // namespace twofour::sparse
