#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/quantize.h"

#include "tests/core/quantize_cases.h"
#include "tests/support/format_numbers.h"
#include "tests/support/tensors.h"

// What core/quantize.h makes of numbers that are not finite, very large or very small, and of wrong arguments.
namespace twofour {
namespace {

using test::EveryFormat;
using test::ExpectBitEqual;
using test::F32;
using test::FormatNumbers;
using test::Granularity;
using test::Kind;
using test::ScaleType;
using test::Uneven;
using test::Words;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kFloatMax = std::numeric_limits<float>::max();

TEST(QuantizeLimitsTest, WhatIsNotFiniteStaysAndChangesNoScale) {
  for (const NumberFormat& format : EveryFormat()) {
    SCOPED_TRACE(Words(format));
    const Tensor x = Uneven({4, 64}, 6);
    for (const float special : {kInfinity, -kInfinity, std::nanf("")}) {
      for (const DType dtype : {DType::kF32, DType::kBF16}) {
        for (const int64_t place : {0, 77, 255}) {
          Tensor with = x.To(dtype).To(DType::kF32).Clone(), without = with.Clone();
          with.mutable_data<float>()[place] = special;
          without.mutable_data<float>()[place] = 0;
          const RoundedMatrix actual = RoundTo(with.To(dtype), format), expected = RoundTo(without.To(dtype), format);
          ExpectBitEqual(actual.scales, expected.scales);
          const auto value = static_cast<float>(actual.values.data<BFloat16>()[place]);
          EXPECT_TRUE(std::isnan(special) ? std::isnan(value) : value == special) << value;
          for (int64_t i = 0; i < x.numel(); ++i) {
            if (i == place) continue;
            ASSERT_EQ(actual.values.data<BFloat16>()[i].bits(), expected.values.data<BFloat16>()[i].bits()) << i;
          }
        }
      }
    }
    const RoundedMatrix all = RoundTo(Tensor::Full({2, 40}, kInfinity), format);
    for (const float value : all.values.ToVector()) EXPECT_EQ(value, kInfinity);
  }
}

TEST(QuantizeLimitsTest, RefusesWhatIsNotFinite) {
  Tensor x = Uneven({4, 64}, 6);
  x.mutable_data<float>()[3 * 64 + 5] = -kInfinity;
  for (const NumberFormat& format : EveryFormat()) {
    EXPECT_THAT([&] { Quantize(x, format); },
                ThrowsMessage<Error>("Quantize: element [3, 5] is -inf, expected finite numbers"));
    EXPECT_THAT([&] { Quantize(x.To(DType::kBF16), format); },
                ThrowsMessage<Error>("Quantize: element [3, 5] is -inf, expected finite numbers"));
  }
}

TEST(QuantizeLimitsTest, TheLargestAndTheSmallestFloats) {
  for (const NumberFormat& format : EveryFormat()) {
    if (format.kind == Kind::kBF16) continue;  // It rounds the largest to an infinity.
    SCOPED_TRACE(Words(format));
    for (const float large : {kFloatMax, 3.3e38f, 3.0e38f, 2.0e38f, 1.7e38f}) {
      const Tensor x = F32({large, -large, 1, large / 2}, {1, 4});
      const Tensor dense = Dequantize(Quantize(x, format));
      const RoundedMatrix rounded = RoundTo(x, format);
      for (int i = 0; i < 4; ++i) {
        const float value = dense.data<float>()[i], original = x.data<float>()[i];
        ASSERT_TRUE(std::isfinite(value)) << original;
        if (i != 2) {
          EXPECT_NEAR(value / original, 1, 0.13);
        }
        ASSERT_TRUE(std::isfinite(static_cast<float>(rounded.values.data<BFloat16>()[i])));
        EXPECT_EQ(static_cast<float>(rounded.values.data<BFloat16>()[i]) * rounded.scales.data<float>()[0], value);
      }
    }
    for (const float small : {1e-45f, 1e-40f, 2e-38f, 1e-34f}) {
      const RoundedMatrix rounded = RoundTo(F32({small, -small, 0, small}, {1, 4}), format);
      EXPECT_GE(rounded.scales.data<float>()[0], 0x1p-110f);
      for (int i = 0; i < 4; ++i) {
        const float value = static_cast<float>(rounded.values.data<BFloat16>()[i]);
        ASSERT_TRUE(value == 0 || std::isnormal(value)) << value;
        EXPECT_LE(std::abs(value * rounded.scales.data<float>()[0]), 2 * small + 1e-37f);
      }
    }
    const Tensor usual = F32({1e-28f, -3e-28f}, {1, 2});  // The least that is not worse off.
    EXPECT_NEAR(Dequantize(Quantize(usual, format)).data<float>()[1] / -3e-28f, 1, 0.13);
  }
}

TEST(QuantizeLimitsTest, GivenScalesSaturate) {
  for (const Kind kind : {Kind::kE4M3, Kind::kE5M2}) {
    const FormatNumbers numbers(kind);
    const auto most = static_cast<float>(numbers.largest());
    const Tensor x = F32({most, -3 * most, 0.3f, kFloatMax, -kInfinity, 1e38f}, {2, 3});
    for (const auto rounding : {NumberFormat::Rounding::kNearestEven, NumberFormat::Rounding::kStochastic}) {
      const NumberFormat format = {.kind = kind, .rounding = rounding};
      const RoundedMatrix rounded = RoundTo(x, format, {.scales = F32({0.5f}, {1})});
      EXPECT_EQ(rounded.scales.data<float>()[0], 0.5f);
      const std::vector<float> values = rounded.values.ToVector();
      EXPECT_EQ(values[0], most);
      EXPECT_EQ(values[1], -most);
      EXPECT_NEAR(values[2], 0.6f, 0.13f);
      EXPECT_EQ(values[3], most);
      EXPECT_EQ(values[4], -kInfinity);
      EXPECT_EQ(values[5], most);
    }
    const RoundedMatrix rows = RoundTo(x, {kind, Granularity::kRow}, {.scales = F32({1, 1e-30f}, {2})});
    EXPECT_EQ(static_cast<float>(rows.values.data<BFloat16>()[0]), most);
    EXPECT_EQ(static_cast<float>(rows.values.data<BFloat16>()[5]), most);  // Scaled, it is an infinity.
    EXPECT_EQ(rows.scales.data<float>()[1], 1e-30f);
  }
  // The block scale ends at 448, the number at 6.
  const RoundedMatrix nvfp4 = RoundTo(F32({1e6f, -12}, {1, 2}), {Kind::kNvfp4}, {.scales = F32({0.25f}, {1})});
  EXPECT_EQ(nvfp4.values.ToVector(), (std::vector<float>{2688, 0 * -448.0f}));
}

TEST(QuantizeLimitsTest, WrongArguments) {
  const auto expect = [](const Tensor& x, const NumberFormat& format, const RoundingOptions& options,
                         const std::string& message) {
    SCOPED_TRACE(message);
    EXPECT_THAT([&] { RoundTo(x, format, options); }, ThrowsMessage<Error>(HasSubstr("RoundTo: " + message)));
    EXPECT_THAT([&] { Quantize(x, format, options); }, ThrowsMessage<Error>(HasSubstr("Quantize: " + message)));
  };
  const Tensor x = Tensor::Full({2, 3}, 1);
  const NumberFormat matrix = {Kind::kE4M3}, rows = {Kind::kE4M3, Granularity::kRow};
  expect(Tensor(), matrix, {}, "x is undefined, expected f32 or bf16 [rows, columns]");
  expect(Tensor::Zeros({2, 3}, DType::kF16), matrix, {}, "x is f16 [2, 3], expected f32 or bf16");
  expect(Tensor::Zeros({6}), matrix, {}, "x is f32 [6], expected f32 or bf16 [rows, columns]");
  expect(x, {Kind::kE4M3, Granularity::kBlock}, {}, "format.scale_type is f32, expected power of two");
  expect(x, matrix, {.first_element = -1}, "first_element is -1, expected 0 to");
  expect(x, rows, {.scales = F32({1}, {1})}, "scales are f32 [1], expected f32 [2]");
  expect(x, matrix, {.scales = F32({1, 1}, {2})}, "scales are f32 [2], expected f32 [1]");
  expect(x, matrix, {.scales = Tensor::Full({1}, 1, DType::kF64)}, "scales are f64 [1], expected f32 [1]");
  for (const float scale : {0.0f, -1.0f, 1e-34f, 1e36f, kInfinity, std::nanf("")}) {
    expect(x, rows, {.scales = F32({1, scale}, {2})}, "scale 1 is ");
  }
  expect(x, {Kind::kBF16}, {.scales = F32({1}, {1})}, "scales are given, expected none for bf16");
  expect(x, {Kind::kE4M3, Granularity::kBlock, 2, ScaleType::kPowerOfTwo}, {.scales = F32({1}, {1})},
         "scales are given, expected none for scales of blocks");
}

TEST(QuantizeLimitsTest, DequantizeRefusesPartsThatDoNotFit) {
  const auto expect = [](const NumberFormat& format, const auto& spoil, const char* message) {
    QuantizedMatrix matrix = Quantize(Uneven({2, 40}, 9), format);
    spoil(matrix);
    EXPECT_THAT([&] { Dequantize(matrix); }, ThrowsMessage<Error>(HasSubstr(message)));
  };
  using Matrix = QuantizedMatrix;
  const NumberFormat nvfp4 = {Kind::kNvfp4}, rows = {Kind::kE4M3, Granularity::kRow};
  expect(
      rows, [](Matrix& m) { m.rows = 3; }, "Dequantize: codes is f8_e4m3 [2, 40], expected f8_e4m3 [3, 40]");
  expect(
      rows, [](Matrix& m) { m.cols = -1; }, "Dequantize: shape is [2, -1], expected sizes");
  expect(
      rows, [](Matrix& m) { m.codes = m.codes.To(DType::kF8E5M2); }, "codes is f8_e5m2 [2, 40]");
  expect(
      rows, [](Matrix& m) { m.scales = {}; }, "scales is undefined, expected f32 [2]");
  expect(
      rows, [](Matrix& m) { m.block_scales = m.scales; }, "block_scales are f32 [2], expected none for e4m3");
  expect(
      rows, [](Matrix& m) { m.format.block = 0, m.format.granularity = Granularity::kBlock; }, "format.");
  expect(
      nvfp4, [](Matrix& m) { m.cols = 41; }, "codes is u8 [2, 20], expected u8 [2, 21]");
  expect(
      nvfp4, [](Matrix& m) { m.block_scales = {}; }, "block_scales is undefined, expected f8_e4m3 [2, 3]");
  expect(
      nvfp4, [](Matrix& m) { m.scales = Tensor::Full({2}, 1); }, "scales is f32 [2], expected f32 [1]");
}

}  // namespace
}  // namespace twofour
