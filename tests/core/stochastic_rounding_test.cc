#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <set>
#include <vector>

#include "twofour/core/quantize.h"

#include "tests/support/for_each_isa.h"
#include "tests/support/format_numbers.h"
#include "tests/support/tensors.h"

// Stochastic rounding by RoundTo of core/quantize.h.
namespace twofour {
namespace {

using test::ExpectBitEqual;
using test::F32;
using test::FormatNumbers;
using Kind = NumberFormat::Kind;
using Granularity = NumberFormat::Granularity;
using ScaleType = NumberFormat::ScaleType;
using Rounding = NumberFormat::Rounding;

const std::vector<NumberFormat> kStochasticFormats = {
    {.kind = Kind::kBF16, .rounding = Rounding::kStochastic},
    {.kind = Kind::kE4M3, .rounding = Rounding::kStochastic},
    {Kind::kE5M2, Granularity::kRow, 32, ScaleType::kPowerOfTwo, Rounding::kStochastic},
    {Kind::kE4M3, Granularity::kBlock, 24, ScaleType::kPowerOfTwo, Rounding::kStochastic},
    {Kind::kE4M3, Granularity::kBlock, 1500, ScaleType::kPowerOfTwo, Rounding::kStochastic},
    {.kind = Kind::kNvfp4, .rounding = Rounding::kStochastic}};

RandomKey RoundingKey(uint64_t step) { return {.seed = 9, .stream = random_streams::kFirstRounding + 2, .step = step}; }

TEST(StochasticRoundingTest, TheMeanIsRightAndOnlyNeighboursOccur) {
  constexpr int kDraws = 20'000;
  for (const Kind kind : {Kind::kE4M3, Kind::kE5M2}) {
    const FormatNumbers numbers(kind);
    const NumberFormat format = {.kind = kind, .rounding = Rounding::kStochastic};
    for (const float x : {1.01f, -2.93f, 0.3f, 300.0f, 0x1.8p-10f, 3.3e-5f, -447.0f}) {
      const RoundedMatrix rounded =
          RoundTo(Tensor::Full({1, kDraws}, x), format, {.key = RoundingKey(1), .scales = F32({1}, {1})});
      const size_t below = numbers.Below(std::abs(x));
      const double low = numbers.magnitudes()[below], high = numbers.magnitudes()[below + 1];
      double sum = 0;
      for (const float value : rounded.values.ToVector()) {
        ASSERT_TRUE(std::abs(value) == low || std::abs(value) == high) << x << " became " << value;
        ASSERT_EQ(std::signbit(value), std::signbit(x));
        sum += value;
      }
      const double share = (std::abs(x) - low) / (high - low);
      const double deviation = (high - low) * std::sqrt(share * (1 - share) / kDraws);
      EXPECT_NEAR(sum / kDraws, x, 5 * deviation + 1e-7 * std::abs(x)) << x;
    }
  }
}

TEST(StochasticRoundingTest, TheMeanOfNvfp4AndOfBF16IsRight) {
  constexpr int kDraws = 20'000;
  // The first element of each block sets its scale to 1.
  Tensor x = Tensor::Full({kDraws, 16}, 0);
  for (int row = 0; row < kDraws; ++row) {
    for (int col = 0; col < 16; ++col) {
      x.mutable_data<float>()[row * 16 + col] = col == 0 ? 6.0f : 0.37f * static_cast<float>(col) - 2.9f;
    }
  }
  const std::vector<float> values = RoundTo(x, {.kind = Kind::kNvfp4, .rounding = Rounding::kStochastic},
                                            {.key = RoundingKey(2), .scales = F32({1}, {1})})
                                        .values.ToVector();
  const FormatNumbers numbers(Kind::kNvfp4);
  for (int col = 0; col < 16; ++col) {
    const float exact = x.data<float>()[col];
    double sum = 0;
    for (int row = 0; row < kDraws; ++row) sum += values[static_cast<size_t>(row * 16 + col)];
    const size_t below = numbers.Below(std::abs(exact));
    const double gap = below == 7 ? 0 : numbers.magnitudes()[below + 1] - numbers.magnitudes()[below];
    EXPECT_NEAR(sum / kDraws, exact, 5 * gap / 2 / std::sqrt(kDraws)) << col;
  }
  double sum = 0;
  const float exact = 1 + 0x1p-9f;  // A quarter of the way.
  for (const float value :
       RoundTo(Tensor::Full({1, kDraws}, exact), {.kind = Kind::kBF16, .rounding = Rounding::kStochastic})
           .values.ToVector()) {
    ASSERT_TRUE(value == 1 || value == 1 + 0x1p-7f) << value;
    sum += value;
  }
  EXPECT_NEAR(sum / kDraws, exact, 5 * 0x1p-7 * std::sqrt(0.1875 / kDraws));
}

TEST(StochasticRoundingTest, NumbersOfTheFormatStay) {
  for (const Kind kind : {Kind::kE4M3, Kind::kE5M2}) {
    const FormatNumbers numbers(kind);
    std::vector<float> x;
    for (const double number : numbers.magnitudes()) {
      for (int draw = 0; draw < 40; ++draw) x.push_back(static_cast<float>(draw % 2 == 0 ? number : -number));
    }
    const Tensor matrix = F32(x, {1, static_cast<int64_t>(x.size())});
    const RoundedMatrix rounded = RoundTo(matrix, {.kind = kind, .rounding = Rounding::kStochastic});
    EXPECT_EQ(rounded.scales.data<float>()[0], 1);
    ExpectBitEqual(rounded.values.To(DType::kF32), matrix);
  }
}

TEST(StochasticRoundingTest, ABandOfRowsIsRoundedAsWithinTheMatrix) {
  for (const NumberFormat& format : kStochasticFormats) {
    for (const int64_t cols : {16, 37, 1999}) {
      Tensor x = Tensor::Empty({12, cols});
      FillNormal(x, 0, 1, {1, 2, 3});
      for (int64_t row = 0; row < 12; ++row) x.mutable_data<float>()[row * cols] = 5;  // Equal scales of all bands.
      const RoundedMatrix whole = RoundTo(x, format, {.key = RoundingKey(4)});
      for (const int64_t begin : {0, 1, 5, 11}) {
        const std::vector<float> all = x.ToVector();
        const Tensor band = F32({all.begin() + begin * cols, all.end()}, {12 - begin, cols});
        const RoundedMatrix part = RoundTo(band, format, {.key = RoundingKey(4), .first_element = begin * cols});
        for (int64_t i = 0; i < band.numel(); ++i) {
          ASSERT_EQ(part.values.data<BFloat16>()[i].bits(), whole.values.data<BFloat16>()[begin * cols + i].bits())
              << NameOf(format.kind) << " " << cols << " from row " << begin << ": " << i;
        }
      }
    }
  }
}

TEST(StochasticRoundingTest, KeysDecide) {
  Tensor x = Tensor::Empty({4, 64});
  FillNormal(x, 0, 1, {1, 2, 3});
  for (const NumberFormat& format : kStochasticFormats) {
    const auto bytes = [&](const RandomKey& key) { return RoundTo(x, format, {.key = key}).values.ToVector(); };
    EXPECT_EQ(bytes(RoundingKey(4)), bytes(RoundingKey(4)));
    std::set<std::vector<float>> results;
    for (const RandomKey& key : {RandomKey{1, 2, 3}, {2, 2, 3}, {1, 3, 3}, {1, 2, 4}}) results.insert(bytes(key));
    EXPECT_EQ(results.size(), 4u) << NameOf(format.kind);
  }
}

TEST(StochasticRoundingTest, AllInstructionSetsGiveTheSameBits) {
  Tensor x = Tensor::Empty({7, 333});
  FillNormal(x, 0, 3, {1, 2, 5});
  for (const NumberFormat& format : kStochasticFormats) {
    for (const Tensor& input : {x, x.To(DType::kBF16)}) {
      Tensor first;
      test::ForEachIsa([&](Isa) {
        const Tensor values = RoundTo(input, format, {.key = RoundingKey(6), .first_element = 3}).values;
        if (!first.defined()) first = values;
        ExpectBitEqual(values, first);
      });
    }
  }
}

TEST(StochasticRoundingTest, QuantizeDrawsTheSameNumbers) {
  Tensor x = Tensor::Empty({5, 50});
  FillNormal(x, 0, 1, {1, 2, 7});
  for (const NumberFormat& format : kStochasticFormats) {
    const RoundingOptions options = {.key = RoundingKey(8), .first_element = 11};
    const RoundedMatrix rounded = RoundTo(x, format, options);
    const Tensor dense = Dequantize(Quantize(x, format, options));
    for (int64_t i = 0; i < x.numel(); ++i) {
      const float scale = rounded.scales.data<float>()[format.granularity == Granularity::kRow ? i / 50 : 0];
      ASSERT_EQ(dense.data<float>()[i], static_cast<float>(rounded.values.data<BFloat16>()[i]) * scale);
    }
  }
}

}  // namespace
}  // namespace twofour
