#include "twofour/sparse/low_bit_weight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/float8.h"
#include "twofour/core/quantize.h"
#include "twofour/sparse/mask_of_pattern.h"

#include "tests/sparse/patterns.h"
#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::ExpectBitEqual;
using test::RandomF32;
using ::testing::HasSubstr;

constexpr LowBitKind kAllKinds[] = {LowBitKind::kInt8, LowBitKind::kE4M3, LowBitKind::kNvfp4};

/// The mask of a format: "dense" or a pattern's text.
Mask MaskFor(const Tensor& weight, const MaskFormat& format) {
  if (format != MaskFormat::Dense()) return FindMaskOf(weight, test::PatternOf("2:4"));
  return Mask::FromTensor(Tensor::Full(weight.shape(), 1, DType::kBool));
}

const MaskFormat kFormats[] = {MaskFormat::Dense(), MaskFormat::Rows(2, 4)};

/// x W^T + bias in float64, and the sum of magnitudes.
struct Expected {
  double sum, magnitudes;
};
Expected ByDouble(const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t b, int64_t row) {
  Expected result{bias.defined() ? double{bias.data<float>()[row]} : 0.0, 0};
  for (int64_t col = 0; col < weight.dim(1); ++col) {
    const double product =
        double{x.data<float>()[b * weight.dim(1) + col]} * weight.data<float>()[row * weight.dim(1) + col];
    result.sum += product, result.magnitudes += std::fabs(product);
  }
  return result;
}

TEST(LowBitWeightTest, ProductsAreThoseOfWhatItUnpacksTo) {
  constexpr int64_t kSizes[][2] = {{5, 17}, {8, 128}, {33, 600}};
  for (const LowBitKind kind : kAllKinds) {
    for (const MaskFormat& format : kFormats) {
      for (const auto& [rows, cols] : kSizes) {
        const Tensor weight = RandomF32({rows, cols}, {1}), bias = RandomF32({rows}, {2});
        const LowBitWeight packed(weight, MaskFor(weight, format), format, kind);
        EXPECT_EQ(packed.pattern(), format);
        const Tensor unpacked = packed.Unpack();
        for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
          for (const int64_t batch : {1, 2, 3, 4, 7, 12, 13, 40}) {
            SCOPED_TRACE(std::string(NameOf(kind)) + ", " + format.ToString() + ", " + std::string(NameOf(dtype)) +
                         ", batch " + std::to_string(batch));
            const Tensor x = RandomF32({batch, cols}, {3}).To(dtype);
            const Tensor y = packed.Multiply(x, batch % 2 == 0 ? bias : Tensor());
            ASSERT_EQ(y.dtype(), dtype);
            ASSERT_EQ(y.shape(), (Shape{batch, rows}));
            const Tensor wide = x.To(DType::kF32), result = y.To(DType::kF32);
            const double rounding = dtype == DType::kF32 ? 0 : dtype == DType::kBF16 ? 0x1p-8 : 0x1p-10;
            for (int64_t i = 0; i < batch * rows; ++i) {
              const auto [sum, magnitudes] =
                  ByDouble(wide, unpacked, batch % 2 == 0 ? bias : Tensor(), i / rows, i % rows);
              EXPECT_NEAR(result.data<float>()[i], sum, magnitudes * 1e-5 + std::fabs(sum) * rounding + 1e-6);
            }
          }
        }
      }
    }
  }
}

/// Two ways from codes to floats: Dequantize reads the parts, and a weight what it made of them.
TEST(LowBitWeightTest, PartsStandForWhatAWeightOfThemUnpacksTo) {
  for (const LowBitKind kind : kAllKinds) {
    for (const MaskFormat& format : kFormats) {
      for (const int64_t cols : {1, 17, 64, 131}) {
        SCOPED_TRACE(std::string(NameOf(kind)) + ", " + format.ToString() + ", " + std::to_string(cols));
        const Tensor weight = RandomF32({9, cols}, {1});
        const Mask mask = format == MaskFormat::Dense() || cols % 4 == 0
                              ? MaskFor(weight, format)
                              : Mask::FromTensor(Tensor::Zeros(weight.shape(), DType::kBool));
        const LowBitParts parts = RoundToFewBits(weight, mask, format, kind);
        const Tensor dense = Dequantize(parts);
        ExpectBitEqual(dense, LowBitWeight(parts).Unpack());
        if (kind == LowBitKind::kNvfp4 && format == MaskFormat::Dense()) {
          QuantizedMatrix matrix{.format = {.kind = NumberFormat::Kind::kNvfp4}, .rows = 9, .cols = cols};
          matrix.codes = parts.codes, matrix.scales = parts.scales;
          matrix.block_scales = Tensor::Empty(parts.block_scales.shape(), DType::kF8E4M3);
          for (int64_t i = 0; i < parts.block_scales.numel(); ++i) {
            matrix.block_scales.mutable_data<Float8E4M3>()[i] =
                Float8E4M3::FromBits(parts.block_scales.data<uint8_t>()[i]);
          }
          ExpectBitEqual(dense, twofour::Dequantize(matrix));
        }
      }
    }
  }
  EXPECT_EQ(
      Dequantize(RoundToFewBits(Tensor::Zeros({3, 0}), Mask(3, 0), MaskFormat::Rows(2, 4), LowBitKind::kE4M3)).shape(),
      (Shape{3, 0}));
}

TEST(LowBitWeightTest, KindsHaveNames) {
  for (const LowBitKind kind : kAllKinds) EXPECT_EQ(FindLowBitKind(NameOf(kind)), kind);
  EXPECT_EQ(FindLowBitKind("nvfp4"), LowBitKind::kNvfp4);
  EXPECT_EQ(FindLowBitKind("fp4"), std::nullopt);
  EXPECT_EQ(NumberOf(LowBitKind::kInt8, 0xff), -1);
  EXPECT_EQ(NumberOf(LowBitKind::kE4M3, 0xb8), -1);
  EXPECT_EQ(NumberOf(LowBitKind::kNvfp4, 0xf), -6);
}

TEST(LowBitWeightTest, IsNearTheWeight) {
  // Of the largest magnitude of a row (int8), of each number (E4M3), and of the largest magnitude of a block.
  for (const MaskFormat& format : kFormats) {
    const Tensor weight = RandomF32({20, 100}, {1});
    const Mask mask = MaskFor(weight, format);
    const Tensor kept = ApplyMask(weight, mask);
    for (const LowBitKind kind : kAllKinds) {
      const Tensor unpacked = LowBitWeight(weight, mask, format, kind).Unpack();
      for (int64_t i = 0; i < kept.numel(); ++i) {
        const double value = kept.data<float>()[i];
        const double allowed = kind == LowBitKind::kInt8   ? 0.5 / 127 + 1e-6
                               : kind == LowBitKind::kE4M3 ? std::fabs(value) / 16 + 0x1p-10 / 448 + 1e-6
                                                           : 1.0 / 6 + 0.03;
        EXPECT_NEAR(unpacked.data<float>()[i], value, allowed) << NameOf(kind) << " " << i;
        if (value == 0) {
          EXPECT_EQ(unpacked.data<float>()[i], 0);
        }
      }
    }
  }
}

TEST(LowBitWeightTest, Nvfp4RoundsBlocksOfKeptValues) {
  // 32 columns keep 16 values from -8 to 7 in sixths of 448 * 6 / 8: the scale of the only block is 448.
  Tensor weight = Tensor::Zeros({1, 32}), kept = Tensor::Zeros({1, 32}, DType::kBool);
  constexpr float kNumbers[16] = {6, -6, 4, -4, 3, -3, 2, -2, 1.5F, -1.5F, 1, -1, 0.5F, -0.5F, 2.5F, 0.25F};
  constexpr float kRounded[16] = {6, -6, 4, -4, 3, -3, 2, -2, 1.5F, -1.5F, 1, -1, 0.5F, -0.5F, 2, 0};
  for (int i = 0; i < 16; ++i) {
    const int col = i / 2 * 4 + i % 2 * 2 + i / 8;
    weight.mutable_data<float>()[col] = kNumbers[i];
    kept.mutable_data<bool>()[col] = true;
  }
  const LowBitWeight packed(weight, Mask::FromTensor(kept), MaskFormat::Rows(2, 4), LowBitKind::kNvfp4);
  const LowBitParts parts = packed.Parts();
  EXPECT_EQ(parts.block_scales.shape(), (Shape{1, 1}));
  EXPECT_EQ(parts.block_scales.data<uint8_t>()[0], 0x7e);
  EXPECT_FLOAT_EQ(parts.scales.data<float>()[0], 6 / (6 * 448.0F));
  EXPECT_EQ(parts.codes.data<uint8_t>()[0], 0xf7);
  EXPECT_EQ(parts.codes.data<uint8_t>()[7], 0x04);
  EXPECT_EQ(parts.positions.data<uint8_t>()[0], 0x88);
  EXPECT_EQ(parts.positions.data<uint8_t>()[2], 0xdd);
  for (int i = 0; i < 16; ++i) {
    EXPECT_FLOAT_EQ(packed.Unpack().data<float>()[i / 2 * 4 + i % 2 * 2 + i / 8], kRounded[i]) << i;
  }
}

TEST(LowBitWeightTest, PartsMakeTheSameWeight) {
  for (const LowBitKind kind : kAllKinds) {
    for (const MaskFormat& format : {MaskFormat::Dense(), MaskFormat::Rows(2, 4), MaskFormat::TwoOfFour()}) {
      for (const int64_t cols : {1, 15, 77, 640}) {
        if (format == MaskFormat::TwoOfFour() && cols % 4 != 0) continue;
        const Tensor weight = RandomF32({8, cols}, {4});
        const Mask mask =
            format == MaskFormat::TwoOfFour() ? FindMask(weight, MaskMethod::kExact) : MaskFor(weight, format);
        const LowBitWeight packed(weight, mask, format, kind);
        const LowBitParts parts = packed.Parts();
        const LowBitWeight again(parts);
        EXPECT_EQ(again.pattern(), format);
        ExpectBitEqual(again.Unpack(), packed.Unpack());
        ExpectBitEqual(again.Parts().codes, parts.codes);
        const LowBitParts made = RoundToFewBits(weight, mask, format, kind);
        ExpectBitEqual(made.codes, parts.codes);
        ExpectBitEqual(made.scales, parts.scales);
        if (made.positions.defined()) ExpectBitEqual(made.positions, parts.positions);
        if (made.block_scales.defined()) ExpectBitEqual(made.block_scales, parts.block_scales);
      }
    }
  }
}

TEST(LowBitWeightTest, TakesAsManyBytesAsItPromises) {
  const Tensor weight = RandomF32({256, 1024}, {5});
  const auto bytes_of_entry = [&](LowBitKind kind, const MaskFormat& format) {
    return static_cast<double>(LowBitWeight(weight, MaskFor(weight, format), format, kind).bytes()) / (256 * 1024);
  };
  EXPECT_LT(bytes_of_entry(LowBitKind::kInt8, MaskFormat::Rows(2, 4)), 0.63);
  EXPECT_LT(bytes_of_entry(LowBitKind::kE4M3, MaskFormat::Rows(2, 4)), 0.63);
  EXPECT_LT(bytes_of_entry(LowBitKind::kNvfp4, MaskFormat::Rows(2, 4)), 0.41);
  EXPECT_LT(bytes_of_entry(LowBitKind::kInt8, MaskFormat::Dense()), 1.005);
  EXPECT_LT(bytes_of_entry(LowBitKind::kNvfp4, MaskFormat::Dense()), 0.57);
}

TEST(LowBitWeightTest, ZerosAndNothingAtAll) {
  for (const LowBitKind kind : kAllKinds) {
    for (const MaskFormat& format : kFormats) {
      const Tensor zeros = Tensor::Zeros({6, 20});
      const LowBitWeight packed(zeros, MaskFor(RandomF32({6, 20}, {1}), format), format, kind);
      ExpectBitEqual(packed.Unpack(), zeros);
      ExpectBitEqual(packed.Multiply(RandomF32({2, 20}, {2})), Tensor::Zeros({2, 6}));
      EXPECT_EQ(packed.Multiply(Tensor::Zeros({0, 20})).shape(), (Shape{0, 6}));
      EXPECT_EQ(packed.Multiply(RandomF32({2, 3, 20}, {2})).shape(), (Shape{2, 3, 6}));
      LowBitParts huge = packed.Parts();  // A file may say so, in few bytes.
      huge.rows = kind == LowBitKind::kNvfp4 ? int64_t{1} << 48 : 6, huge.cols = 0;
      huge.codes = Tensor::Empty({huge.rows, 0}, huge.codes.dtype());
      for (Tensor* const part : {&huge.positions, &huge.block_scales}) {
        if (part->defined()) *part = Tensor::Empty({huge.rows, 0}, DType::kU8);
      }
      EXPECT_EQ(LowBitWeight(huge).rows(), huge.rows);
      const LowBitWeight none(Tensor::Zeros({0, 20}), Mask(0, 20), format, kind);
      EXPECT_EQ(none.Unpack().shape(), (Shape{0, 20}));
    }
  }
}

TEST(RoundToFewBitsTest, RefusesWhatDoesNotFit) {
  const Tensor weight = RandomF32({4, 16}, {1});
  const Mask mask = MaskFor(weight, MaskFormat::Rows(2, 4)), all = MaskFor(weight, MaskFormat::Dense());
  const auto round = [&](const Tensor& w, const Mask& m, const MaskFormat& f) {
    RoundToFewBits(w, m, f, LowBitKind::kE4M3, "w");
  };
  EXPECT_ERROR(round(weight, all, MaskFormat::Rows(2, 4)), ErrorKind::kInvalidInput,
               HasSubstr("w: row 0 keeps 4 of columns 0 to 3, expected at most 2"));
  EXPECT_ERROR(round(weight, mask, MaskFormat::Rows(1, 4)), ErrorKind::kInvalidInput, HasSubstr("w: pattern 1:4"));
  EXPECT_ERROR(round(RandomF32({4, 12}, {1}), mask, MaskFormat::Rows(2, 4)), ErrorKind::kInvalidInput,
               HasSubstr("expected the mask's shape [4, 16]"));
  Tensor broken = weight.Clone();
  broken.Fill(std::numeric_limits<double>::infinity());
  EXPECT_ERROR(round(broken, mask, MaskFormat::Rows(2, 4)), ErrorKind::kRuntimeFailure,
               HasSubstr("w: inf in row 0, expected finite numbers"));
}

TEST(RequireLowBitPartsTest, RefusesWhatNoFileShouldHold) {
  const Tensor weight = RandomF32({3, 22}, {1});
  const auto refuses = [&](LowBitKind kind, const MaskFormat& format, const auto& spoil, const std::string& why) {
    LowBitParts parts = RoundToFewBits(weight, MaskFor(weight, format), format, kind);
    RequireLowBitParts(parts, "f");
    spoil(parts);
    EXPECT_ERROR(LowBitWeight(parts, "f"), ErrorKind::kInvalidInput, HasSubstr("f: " + why));
  };
  const MaskFormat dense = MaskFormat::Dense(), sparse = MaskFormat::Rows(2, 4);
  for (const float scale : {0.0F, -1.0F, 3e38F, std::numeric_limits<float>::infinity(), std::nanf("")}) {
    refuses(
        LowBitKind::kInt8, dense, [&](LowBitParts& p) { p.scales.mutable_data<float>()[1] = scale; }, "scale 1 is");
    refuses(
        LowBitKind::kNvfp4, dense, [&](LowBitParts& p) { p.scales.mutable_data<float>()[0] = scale; }, "scale 0 is");
  }
  for (const int scale : {0, 127, 128, 255}) {
    refuses(
        LowBitKind::kNvfp4, sparse,
        [&](LowBitParts& p) { p.block_scales.mutable_data<uint8_t>()[1] = static_cast<uint8_t>(scale); },
        std::to_string(scale) + " at [1, 0] of block_scales");
  }
  refuses(
      LowBitKind::kInt8, dense, [](LowBitParts& p) { p.codes.mutable_data<int8_t>()[23] = -128; },
      "-128 at [1, 1] of codes, expected -127 to 127");
  refuses(
      LowBitKind::kE4M3, dense, [](LowBitParts& p) { p.codes.mutable_data<uint8_t>()[23] = 255; },
      "255 at [1, 1] of codes");
  refuses(
      LowBitKind::kE4M3, dense, [](LowBitParts& p) { p.rows = 4; }, "scales f32 [3], expected f32 [4]");
  refuses(
      LowBitKind::kE4M3, dense, [](LowBitParts& p) { p.cols = 23; }, "codes u8 [3, 22], expected u8 [3, 23]");
  refuses(
      LowBitKind::kE4M3, dense, [](LowBitParts& p) { p.cols = -1; }, "shape [3, -1]");
  refuses(
      LowBitKind::kE4M3, dense, [](LowBitParts& p) { p.rows = int64_t{1} << 47; }, "shape [");
  refuses(
      LowBitKind::kE4M3, dense, [](LowBitParts& p) { p.format = MaskFormat::Unstructured(); }, "pattern");
  refuses(
      LowBitKind::kE4M3, dense,
      [](LowBitParts& p) {
        p.positions = Tensor::Zeros({3, 3}, DType::kU8);
      },
      "positions u8 [3, 3], expected none");
  refuses(
      LowBitKind::kE4M3, dense,
      [](LowBitParts& p) {
        p.block_scales = Tensor::Zeros({3, 2}, DType::kU8);
      },
      "block_scales u8 [3, 2], expected none");
  refuses(
      LowBitKind::kE4M3, sparse, [](LowBitParts& p) { p.positions = {}; }, "positions undefined, expected u8");
  refuses(
      LowBitKind::kE4M3, sparse, [](LowBitParts& p) { p.positions.mutable_data<uint8_t>()[3] = 0x05; },
      "positions 1 and 1 of group 0 of row 1, expected two that ascend");
  // The last group has two columns.
  refuses(
      LowBitKind::kE4M3, sparse,
      [](LowBitParts& p) { p.codes.mutable_data<uint8_t>()[11] = 1, p.positions.mutable_data<uint8_t>()[2] = 0xc4; },
      "row 0 has a value other than 0 in column 23 of 22");
}

TEST(LowBitPartsOfTest, TakesBytesAsTheyAre) {
  for (const char* const text : {"dense", "2:4", "transposable:2:4"}) {
    SCOPED_TRACE(text);
    const Tensor dense = test::RandomF32({12, 36}, {.seed = 77});
    const bool whole = text == std::string("dense");
    const MaskFormat format = whole ? MaskFormat::Dense() : test::PatternOf(text).format;
    Mask mask(12, 36);
    if (whole) {
      for (int64_t i = 0; i < mask.tile_rows() * mask.tile_cols(); ++i) mask.tiles()[i] = 0xffff;
    } else {
      mask = FindMaskOf(dense, test::PatternOf(text));
    }
    Int8Matrix matrix = QuantizeRows(ApplyMask(dense, mask));
    // A matrix of another program, whose largest number need not be 127.
    for (int64_t i = 0; i < matrix.values.numel(); ++i) matrix.values.mutable_data<int8_t>()[i] /= 3;
    const LowBitWeight weight(LowBitPartsOf(matrix, mask, format));
    Tensor expected = Tensor::Empty({12, 36});
    for (int64_t i = 0; i < expected.numel(); ++i) {
      expected.mutable_data<float>()[i] =
          matrix.scales.data<float>()[i / 36] * static_cast<float>(matrix.values.data<int8_t>()[i]);
    }
    test::ExpectBitEqual(weight.Unpack(), expected);
  }
}

}  // namespace
}  // namespace twofour::sparse
