#include "twofour/core/quantize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "tests/core/quantize_cases.h"
#include "tests/support/fixtures.h"
#include "tests/support/for_each_isa.h"
#include "tests/support/format_numbers.h"
#include "tests/support/tensors.h"

namespace twofour {
namespace {

using test::EveryFormat;
using test::ExpectBitEqual;
using test::FormatNumbers;
using test::Granularity;
using test::Kind;
using test::ScaleType;
using test::Uneven;
using test::Words;

/// The largest magnitude of a part of a row, or of all rows.
float LargestOf(const Tensor& x, int64_t row_begin, int64_t row_end, int64_t col_begin, int64_t col_end) {
  float largest = 0;
  for (int64_t row = row_begin; row < row_end; ++row) {
    for (int64_t col = col_begin; col < std::min(col_end, x.dim(1)); ++col) {
      largest = std::max(largest, std::abs(x.data<float>()[row * x.dim(1) + col]));
    }
  }
  return largest;
}

/// The scale for a magnitude, found by trying powers of two.
float ExpectedScale(const NumberFormat& format, float largest) {
  if (largest == 0) return 1;
  const double most = format.kind == Kind::kNvfp4 ? 6 * 448 : FormatNumbers(format.kind).largest();
  if (format.scale_type == ScaleType::kF32) return largest / static_cast<float>(most);
  double scale = std::ldexp(1.0, -140);
  while (largest / scale > most) scale *= 2;
  return static_cast<float>(scale);
}

/// What an element is rounded to: a number of the format, the scale of its block, and the scale that is left.
struct Expected {
  double number, block_scale, scale;
};

Expected ExpectedOf(const Tensor& x, const NumberFormat& format, int64_t row, int64_t col) {
  const int64_t rows = x.dim(0), cols = x.dim(1);
  const float value = x.data<float>()[row * cols + col];
  if (format.kind == Kind::kBF16) return {static_cast<float>(BFloat16(value)), 1, 1};
  const FormatNumbers numbers(format.kind);
  if (format.kind == Kind::kNvfp4) {
    const float all = LargestOf(x, 0, rows, 0, cols), scale = ExpectedScale(format, all);
    const float largest = LargestOf(x, row, row + 1, col / 16 * 16, col / 16 * 16 + 16);
    const FormatNumbers scales(Kind::kE4M3);
    const double block_scale = largest == 0 ? 1 : std::max(scales.Nearest(largest / 6.0f / scale), 0x1p-9);
    const float inverse = 1 / (static_cast<float>(block_scale) * scale);
    return {numbers.Nearest(value * inverse), block_scale, scale};
  }
  const bool of_matrix = format.granularity == Granularity::kMatrix,
             of_blocks = format.granularity == Granularity::kBlock;
  const int64_t begin = of_blocks ? col / format.block * format.block : 0;
  const float largest =
      LargestOf(x, of_matrix ? 0 : row, of_matrix ? rows : row + 1, begin, of_blocks ? begin + format.block : cols);
  const float scale = ExpectedScale(format, largest);
  const double number = numbers.Nearest(value * (1 / scale));
  return of_blocks ? Expected{number, scale, 1} : Expected{number, 1, scale};
}

RoundedMatrix ByBruteForce(const Tensor& x, const NumberFormat& format) {
  const int64_t rows = x.dim(0), cols = x.dim(1);
  RoundedMatrix made = {.values = Tensor::Empty(x.shape(), DType::kBF16),
                        .scales = Tensor::Full({format.granularity == Granularity::kRow ? rows : 1}, 1)};
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t col = 0; col < cols; ++col) {
      const Expected expected = ExpectedOf(x, format, row, col);
      const auto value = static_cast<float>(expected.number * expected.block_scale);
      EXPECT_EQ(static_cast<float>(BFloat16(value)), value) << "no number of bf16";
      made.values.mutable_data<BFloat16>()[row * cols + col] = BFloat16(value);
      made.scales.mutable_data<float>()[format.granularity == Granularity::kRow ? row : 0] =
          static_cast<float>(expected.scale);
    }
  }
  return made;
}

TEST(RoundToTest, IsBruteForce) {
  for (const NumberFormat& format : EveryFormat()) {
    SCOPED_TRACE(Words(format));
    for (const Shape& shape : {Shape{1, 1}, {3, 16}, {9, 70}, {14, 100}}) {
      const Tensor x = Uneven(shape, static_cast<uint32_t>(shape[1]));
      for (const Tensor& input : {x, x.To(DType::kBF16)}) {
        const RoundedMatrix expected = ByBruteForce(input.To(DType::kF32), format);
        test::ForEachIsa([&](Isa) {
          const RoundedMatrix rounded = RoundTo(input, format);
          ExpectBitEqual(rounded.values, expected.values);
          ExpectBitEqual(rounded.scales, expected.scales);
        });
      }
    }
  }
}

TEST(RoundToTest, LargeMatricesAreCutForThreads) {
  const Tensor x = Uneven({70, 3000}, 1), row = Uneven({1, 100'000}, 2);
  for (const NumberFormat& format : EveryFormat()) {
    SCOPED_TRACE(Words(format));
    for (const NumberFormat::Rounding rounding :
         {NumberFormat::Rounding::kNearestEven, NumberFormat::Rounding::kStochastic}) {
      NumberFormat rounds = format;
      rounds.rounding = rounding;
      for (const Tensor& matrix : {x, row}) {
        std::vector<RoundedMatrix> results;
        for (const int threads : {1, 2, 5}) {
          const test::ScopedNumThreads scope(threads);
          results.push_back(RoundTo(matrix, rounds, {.key = {5, random_streams::kFirstRounding, 3}}));
        }
        for (const RoundedMatrix& result : results) {
          ExpectBitEqual(result.values, results[0].values);
          ExpectBitEqual(result.scales, results[0].scales);
        }
      }
    }
  }
}

TEST(QuantizeTest, StoresWhatRoundToMakes) {
  for (const NumberFormat& format : EveryFormat()) {
    SCOPED_TRACE(Words(format));
    const Tensor x = Uneven({6, 85}, 3);
    const QuantizedMatrix stored = Quantize(x, format);
    const RoundedMatrix rounded = RoundTo(x, format);
    const Tensor dense = Dequantize(stored);
    ASSERT_EQ(dense.shape(), x.shape());
    for (int64_t i = 0; i < x.numel(); ++i) {
      const int64_t at = format.granularity == Granularity::kRow ? i / x.dim(1) : 0;
      const float scale = rounded.scales.data<float>()[at];
      ASSERT_EQ(dense.data<float>()[i], static_cast<float>(rounded.values.data<BFloat16>()[i]) * scale) << i;
    }
    // What was rounded once stays, if its scales do.
    if (format.scale_type == ScaleType::kPowerOfTwo) ExpectBitEqual(Dequantize(Quantize(dense, format)), dense);
  }
}

TEST(QuantizeTest, PartsOfEachFormat) {
  const Tensor x = Uneven({5, 35}, 4);
  const QuantizedMatrix rows = Quantize(x, {Kind::kE4M3, Granularity::kRow});
  EXPECT_EQ(Describe(rows.codes), "f8_e4m3 [5, 35]");
  EXPECT_EQ(Describe(rows.scales), "f32 [5]");
  EXPECT_FALSE(rows.block_scales.defined());
  const QuantizedMatrix blocks = Quantize(x, {Kind::kE5M2, Granularity::kBlock, 16, ScaleType::kPowerOfTwo});
  EXPECT_EQ(Describe(blocks.codes), "f8_e5m2 [5, 35]");
  EXPECT_EQ(Describe(blocks.scales), "f32 [5, 3]");
  const QuantizedMatrix nvfp4 = Quantize(x, {Kind::kNvfp4});
  EXPECT_EQ(Describe(nvfp4.codes), "u8 [5, 18]");
  EXPECT_EQ(Describe(nvfp4.block_scales), "f8_e4m3 [5, 3]");
  EXPECT_EQ(Describe(nvfp4.scales), "f32 [1]");
  for (int64_t row = 0; row < 5; ++row) EXPECT_LT(nvfp4.codes.data<uint8_t>()[row * 18 + 17], 16) << "no padding";
  EXPECT_EQ(Describe(Quantize(x, {Kind::kBF16}).codes), "bf16 [5, 35]");
}

TEST(QuantizeTest, Nvfp4IsWhatNumPyAndMlDtypesMake) {
  const test::Fixture fixture("float8");
  const Tensor x = fixture.Get("nvfp4.x");
  const QuantizedMatrix matrix = Quantize(x, {Kind::kNvfp4});
  ExpectBitEqual(matrix.scales, fixture.Get("nvfp4.scale"));
  ExpectBitEqual(matrix.block_scales, fixture.Get("nvfp4.block_scales"));
  ExpectBitEqual(matrix.codes, fixture.Get("nvfp4.packed"));
  ExpectBitEqual(Dequantize(matrix), fixture.Get("nvfp4.dense"));
}

TEST(RoundToTest, ZerosHaveScaleOneAndCodesZero) {
  for (const NumberFormat& format : EveryFormat()) {
    SCOPED_TRACE(Words(format));
    Tensor x = Tensor::Zeros({3, 40});
    ExpectBitEqual(RoundTo(x, format).scales, Tensor::Full({format.granularity == Granularity::kRow ? 3 : 1}, 1));
    ExpectBitEqual(RoundTo(x, format).values, Tensor::Zeros({3, 40}, DType::kBF16));
    const QuantizedMatrix stored = Quantize(x, format);
    ExpectBitEqual(stored.codes, Tensor::Zeros(stored.codes.shape(), stored.codes.dtype()));
    ExpectBitEqual(stored.scales, Tensor::Full(stored.scales.shape(), 1));
    // A row or block of zeros beside others.
    x.mutable_data<float>()[119] = -3;
    const RoundedMatrix rounded = RoundTo(x, format), expected = ByBruteForce(x, format);
    ExpectBitEqual(rounded.values, expected.values);
    ExpectBitEqual(rounded.scales, expected.scales);
    for (const Shape& shape : {Shape{0, 5}, {4, 0}, {0, 0}}) {
      EXPECT_EQ(RoundTo(Tensor::Zeros(shape), format).values.shape(), shape);
      EXPECT_EQ(Dequantize(Quantize(Tensor::Zeros(shape), format)).shape(), shape);
    }
  }
}

TEST(RoundToTest, ValuesOfAllScalesFitIntoBF16) {
  const auto fits = [](double value) { return static_cast<float>(BFloat16(static_cast<float>(value))) == value; };
  const FormatNumbers e2m1(Kind::kNvfp4), e4m3(Kind::kE4M3);
  for (const double number : e2m1.magnitudes()) {
    for (const double scale : e4m3.magnitudes()) ASSERT_TRUE(fits(number * scale)) << number << " " << scale;
  }
  for (const Kind kind : {Kind::kE4M3, Kind::kE5M2}) {
    const FormatNumbers numbers(kind);
    for (const double number : numbers.magnitudes()) {
      for (int exponent = -110; exponent <= 127; ++exponent) {
        const double value = std::ldexp(number, exponent);
        if (value < 0x1p128) {
          ASSERT_TRUE(fits(value) && (value == 0 || value >= 0x1p-126)) << number << " " << exponent;
        }
      }
    }
  }
}

}  // namespace
}  // namespace twofour
