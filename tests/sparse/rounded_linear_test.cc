#include "twofour/sparse/rounded_linear.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/ops/layout.h"
#include "twofour/core/ops/matmul.h"
#include "twofour/core/quantize.h"
#include "twofour/sparse/mask_of_pattern.h"

#include "tests/sparse/patterns.h"
#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using Kind = NumberFormat::Kind;
using test::RandomF32;

NumberFormat Format(Kind kind, NumberFormat::Granularity granularity = NumberFormat::Granularity::kMatrix) {
  return {.kind = kind,
          .granularity = granularity,
          .scale_type = kind == Kind::kBF16 ? NumberFormat::ScaleType::kF32 : NumberFormat::ScaleType::kPowerOfTwo};
}

/// What a matrix is after it was stored: another way than that of products, which never make it.
Tensor Stored(const Tensor& x, const NumberFormat& format) { return Dequantize(Quantize(x, format)); }

/// The same of the entries that are not zero, which are moved side by side and back.
Tensor StoredKept(const Tensor& x, const NumberFormat& format) {
  const int64_t rows = x.dim(0), cols = x.dim(1);
  std::vector<std::vector<int64_t>> columns(static_cast<size_t>(rows));
  size_t most = 0;
  for (int64_t r = 0; r < rows; ++r) {
    auto& of_row = columns[static_cast<size_t>(r)];
    for (int64_t c = 0; c < cols; ++c) {
      if (x.data<float>()[r * cols + c] != 0) of_row.push_back(c);
    }
    most = std::max(most, of_row.size());
  }
  const auto width = static_cast<int64_t>(most);
  Tensor side_by_side = Tensor::Zeros({rows, width}), back = Tensor::Zeros({rows, cols});
  for (int64_t r = 0; r < rows; ++r) {
    const auto& of_row = columns[static_cast<size_t>(r)];
    for (size_t i = 0; i < of_row.size(); ++i) {
      side_by_side.mutable_data<float>()[r * width + static_cast<int64_t>(i)] = x.data<float>()[r * cols + of_row[i]];
    }
  }
  const Tensor stored = Stored(side_by_side, format);
  for (int64_t r = 0; r < rows; ++r) {
    const auto& of_row = columns[static_cast<size_t>(r)];
    for (size_t i = 0; i < of_row.size(); ++i) {
      back.mutable_data<float>()[r * cols + of_row[i]] = stored.data<float>()[r * width + static_cast<int64_t>(i)];
    }
  }
  return back;
}

/// a b^T in double, and the sums of magnitudes.
void ExpectProduct(const Tensor& actual, const Tensor& a, const Tensor& b, double tolerance) {
  const int64_t rows = a.dim(0), cols = b.dim(0), depth = a.dim(1);
  ASSERT_EQ(actual.numel(), rows * cols);
  const Tensor wide = actual.To(DType::kF32);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) {
      double sum = 0, magnitudes = 0;
      for (int64_t k = 0; k < depth; ++k) {
        const double term = double{a.data<float>()[r * depth + k]} * b.data<float>()[c * depth + k];
        sum += term, magnitudes += std::fabs(term);
      }
      ASSERT_NEAR(wide.data<float>()[r * cols + c], sum, tolerance * magnitudes + 1e-30) << r << ", " << c;
    }
  }
}

struct Case {
  std::string pattern;  ///< Empty: a whole weight.
  LinearFormats formats;
  DType dtype = DType::kF32;
};

class RoundedLinearTest : public ::testing::Test {
 protected:
  static constexpr int64_t kTokens = 40, kIn = 64, kOut = 48;

  /// Forward and backward products of all operands as they are stored.
  void ExpectIsRight(const Case& c) {
    const Tensor master = RandomF32({kOut, kIn}, {1});
    Tensor weight = master, effective = master;
    std::shared_ptr<const SemiSparseWeight> packed;
    if (!c.pattern.empty()) {
      const PruningPattern pattern = test::PatternOf(c.pattern);
      const Mask mask = FindMaskOf(master, pattern);
      effective = ApplyMask(master, mask);
      packed = std::make_shared<SemiSparseWeight>(effective, mask, nullptr, pattern.format);
    }
    weight.set_requires_grad();
    Tensor x = RandomF32({kTokens, kIn}, {2}, -2, 3).To(c.dtype), bias = RandomF32({kOut}, {3});
    x.set_requires_grad();
    bias.set_requires_grad();
    const auto rounded = std::make_shared<RoundedWeight>(weight, packed.get(), c.formats.weight, RandomKey{});
    Tensor y = RoundedLinear(x, weight, bias, rounded, c.formats, {});
    const Tensor dy = RandomF32({kTokens, kOut}, {4}).To(c.dtype);
    y.Backward(dy);

    const NoGradGuard no_grad;
    const auto stored_weight = [&](const Tensor& w) {
      return packed == nullptr ? Stored(w, c.formats.weight) : StoredKept(w, c.formats.weight);
    };
    // Sums of 64 floats, and up to two roundings to bf16.
    const double tolerance = c.dtype == DType::kF32 ? 64 * 0x1p-24 : 2 * 0x1p-8;
    const Tensor in = x.Detach().To(DType::kF32), out = dy.To(DType::kF32);
    Tensor without_bias = y.Detach().To(DType::kF32).Clone();
    for (int64_t i = 0; i < without_bias.numel(); ++i) {
      without_bias.mutable_data<float>()[i] -= bias.data<float>()[i % kOut];
    }
    ExpectProduct(without_bias, Stored(in, c.formats.activation), stored_weight(effective),
                  tolerance * (c.dtype == DType::kF32 ? 4 : 2));
    ExpectProduct(x.grad(), Stored(out, c.formats.gradient), stored_weight(ops::Transpose(effective)), tolerance);
    if (!c.formats.hadamard) {
      ExpectProduct(weight.grad(), Stored(ops::Transpose(out), c.formats.gradient),
                    Stored(ops::Transpose(in), c.formats.activation), 64 * 0x1p-24);
    } else {
      // The rotation changes only how operands are rounded.
      ExpectProduct(weight.grad(), ops::Transpose(out), ops::Transpose(in), 0.25);
    }
    EXPECT_EQ(y.dtype(), c.dtype);
    EXPECT_EQ(x.grad().dtype(), c.dtype);
    EXPECT_EQ(weight.grad().dtype(), DType::kF32);
    EXPECT_EQ(bias.grad().shape(), (Shape{kOut}));
  }
};

TEST_F(RoundedLinearTest, MultipliesWhatIsStored) {
  using Granularity = NumberFormat::Granularity;
  const LinearFormats formats[] = {
      {Format(Kind::kE4M3), Format(Kind::kE4M3), Format(Kind::kE5M2)},
      {Format(Kind::kE4M3, Granularity::kRow), Format(Kind::kE4M3, Granularity::kRow),
       Format(Kind::kE4M3, Granularity::kRow)},
      {Format(Kind::kE5M2, Granularity::kBlock), Format(Kind::kE4M3, Granularity::kBlock), Format(Kind::kBF16)},
      {Format(Kind::kNvfp4), Format(Kind::kNvfp4), Format(Kind::kNvfp4)},
      {Format(Kind::kNvfp4), Format(Kind::kE4M3), Format(Kind::kE5M2), true}};
  for (const LinearFormats& each : formats) {
    for (const char* const pattern : {"", "transposable:2:4", "8:2:8", "2:4", "unstructured:0.5"}) {
      for (const DType dtype : {DType::kF32, DType::kBF16}) {
        SCOPED_TRACE(fmt::format("{} {} {} {}", NameOf(each.weight.kind), static_cast<int>(each.weight.granularity),
                                 pattern, NameOf(dtype)));
        ExpectIsRight({.pattern = pattern, .formats = each, .dtype = dtype});
      }
    }
  }
}

TEST_F(RoundedLinearTest, InBf16WithoutScalesIsWhatLinearIs) {
  const Tensor weight = RandomF32({kOut, kIn}, {1}), x = RandomF32({3, 7, kIn}, {2}).To(DType::kBF16);
  const LinearFormats formats = {Format(Kind::kBF16), Format(Kind::kBF16), Format(Kind::kBF16)};
  const auto rounded = std::make_shared<RoundedWeight>(weight, nullptr, formats.weight, RandomKey{});
  const Tensor y = RoundedLinear(x, weight, {}, rounded, formats, {});
  EXPECT_EQ(y.shape(), (Shape{3, 7, kOut}));
  test::ExpectBitEqual(y, ops::Linear(x, weight));
  EXPECT_EQ(RoundedLinear(x, weight, {}, rounded, formats, {}, DType::kF32).dtype(), DType::kF32);
}

TEST_F(RoundedLinearTest, ARotationOfTheGradientsOperandsChangesNothingButRounding) {
  // 37 tokens are padded to whole blocks.
  Tensor weight = RandomF32({kOut, kIn}, {1});
  weight.set_requires_grad();
  const Tensor x = RandomF32({37, kIn}, {2}), dy = RandomF32({37, kOut}, {3});
  LinearFormats formats = {Format(Kind::kBF16), Format(Kind::kBF16), Format(Kind::kBF16), true};
  const auto rounded = std::make_shared<RoundedWeight>(weight, nullptr, formats.weight, RandomKey{});
  RoundedLinear(x, weight, {}, rounded, formats, {}).Backward(dy);
  const NoGradGuard no_grad;
  ExpectProduct(weight.grad(), ops::Transpose(dy), ops::Transpose(x), 0x1p-7);
}

TEST_F(RoundedLinearTest, RoundingAtRandomDependsOnTheKeyAlone) {
  Tensor weight = RandomF32({kOut, kIn}, {1});
  weight.set_requires_grad();
  const Tensor x = RandomF32({kTokens, kIn}, {2}), dy = RandomF32({kTokens, kOut}, {3});
  LinearFormats formats = {Format(Kind::kE4M3), Format(Kind::kE4M3), Format(Kind::kNvfp4)};
  formats.gradient.rounding = NumberFormat::Rounding::kStochastic;
  const auto gradient = [&](const RandomKey& key) {
    weight.ZeroGrad();
    const auto rounded = std::make_shared<RoundedWeight>(weight, nullptr, formats.weight, key);
    RoundedLinear(x, weight, {}, rounded, formats, key).Backward(dy);
    return weight.grad().Clone();
  };
  const Tensor first = gradient({.seed = 1, .step = 5});
  {
    const test::ScopedNumThreads threads(3);
    test::ExpectBitEqual(gradient({.seed = 1, .step = 5}), first);
  }
  const Tensor other = gradient({.seed = 1, .step = 6});
  EXPECT_FALSE(std::equal(first.data<float>(), first.data<float>() + first.numel(), other.data<float>()));
}

TEST_F(RoundedLinearTest, WhatIsNotFiniteStaysSo) {
  const Tensor weight = RandomF32({kOut, kIn}, {1});
  Tensor x = RandomF32({kTokens, kIn}, {2});
  x.mutable_data<float>()[3] = std::nanf("");
  const LinearFormats formats = {Format(Kind::kE4M3), Format(Kind::kE4M3), Format(Kind::kE5M2)};
  const auto rounded = std::make_shared<RoundedWeight>(weight, nullptr, formats.weight, RandomKey{});
  const Tensor y = RoundedLinear(x, weight, {}, rounded, formats, {});
  EXPECT_TRUE(std::isnan(y.data<float>()[0]));
  EXPECT_TRUE(std::isfinite(y.data<float>()[kOut]));
}

TEST_F(RoundedLinearTest, RefusesWhatDoesNotFit) {
  const Tensor weight = RandomF32({kOut, kIn}, {1});
  const LinearFormats formats = {};
  const auto rounded = std::make_shared<RoundedWeight>(weight, nullptr, formats.weight, RandomKey{});
  EXPECT_ERROR(RoundedLinear(Tensor::Zeros({2, kOut}), weight, {}, rounded, formats, {}), ErrorKind::kInvalidInput,
               ::testing::HasSubstr("x f32 [2, 48], expected f32 or bf16 [..., 64]"));
  EXPECT_ERROR(RoundedLinear(Tensor::Zeros({2, kIn}, DType::kF64), weight, {}, rounded, formats, {}),
               ErrorKind::kInvalidInput, ::testing::HasSubstr("x f64"));
  EXPECT_ERROR(RoundedLinear(Tensor::Zeros({2, kIn}), weight, {}, nullptr, formats, {}), ErrorKind::kInvalidInput,
               ::testing::HasSubstr("rounded is null"));
}

}  // namespace
}  // namespace twofour::sparse
