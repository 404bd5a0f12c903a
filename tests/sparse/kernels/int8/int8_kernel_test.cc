#include "twofour/sparse/kernels/int8/int8_kernel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "twofour/core/random.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/mask_of_pattern.h"

#include "tests/sparse/patterns.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {

/// For GoogleTest.
inline void PrintTo(const Int8Kernel& kernel, std::ostream* out) { *out << kernel.name; }

namespace {

using test::RandomF32;

/// A weight of bytes under a mask, with all that an epilogue needs.
struct Int8Case {
  Int8Case(int64_t rows, int64_t cols, const std::string& pattern, uint64_t seed = 1)
      : values(static_cast<size_t>(rows * cols)), mask(rows, cols), row_sums(static_cast<size_t>(rows)) {
    const Tensor scores = RandomF32({rows, cols}, {seed});
    if (pattern == "dense") {
      mask = Mask::FromTensor(Tensor::Full({rows, cols}, 1, DType::kBool));
    } else if (pattern == "greedy") {
      mask = FindMask(scores, MaskMethod::kGreedy);
    } else {
      const PruningPattern parsed = test::PatternOf(pattern);
      mask = FindMaskOf(scores, parsed);
      format = parsed.format;
    }
    if (pattern == "dense") format = MaskFormat::Dense();
    RandomSequence random({seed, 1});
    for (int8_t& value : values) {
      const uint32_t draw = random.Below(300);
      value = static_cast<int8_t>(draw < 20 ? 127 : draw < 40 ? -127 : static_cast<int>(random.Below(255)) - 127);
    }
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < cols; ++c) row_sums[static_cast<size_t>(r)] += Kept(r, c);
    }
    scales = RandomF32({rows}, {seed, 2}, 0.001, 0.1);
    bias = RandomF32({rows}, {seed, 3});
  }

  int32_t Kept(int64_t r, int64_t c) const {
    return mask.Keeps(r, c) ? values[static_cast<size_t>(r * mask.cols() + c)] : 0;
  }
  MaskView View() const {
    MaskView view = mask.view();
    if (format.kind == MaskFormat::Kind::kVnm) view.vnm = format.vnm();
    return view;
  }
  LinearProblem Problem(int64_t batch) const {
    return {.out_features = mask.rows(), .in_features = mask.cols(), .batch = batch, .format = format};
  }

  std::vector<int8_t> values;
  Mask mask;
  MaskFormat format = MaskFormat::TwoOfFour();
  std::vector<int32_t> row_sums;
  Tensor scales, bias;
};

float Number(const Tensor& x, int64_t i) {
  return x.dtype() == DType::kF32 ? x.data<float>()[i] : static_cast<float>(x.data<BFloat16>()[i]);
}

/// The product by sums of 64 bits.
Tensor Reference(const Int8Case& weight, const Tensor& x, bool with_bias, const Int8Range* given) {
  const int64_t batch = x.dim(0), cols = weight.mask.cols(), rows = weight.mask.rows();
  Tensor y = Tensor::Empty({batch, rows});
  for (int64_t t = 0; t < batch; ++t) {
    double min = 0, max = 0;
    bool finite = true;
    for (int64_t c = 0; c < cols; ++c) {
      const double v = Number(x, t * cols + c);
      finite = finite && std::isfinite(v);
      min = std::min(min, v), max = std::max(max, v);
    }
    Int8Range range = given != nullptr ? *given : RangeOf(static_cast<float>(min), static_cast<float>(max));
    if (!finite) range.scale = std::numeric_limits<float>::quiet_NaN();
    std::vector<int64_t> bytes;
    for (int64_t c = 0; c < cols; ++c) {
      const float scaled = finite ? Number(x, t * cols + c) * (1.0F / range.scale) : 0.0F;
      bytes.push_back(static_cast<int64_t>(std::clamp(std::nearbyint(double{scaled}) + range.zero_point, 0.0, 255.0)));
    }
    for (int64_t r = 0; r < rows; ++r) {
      int64_t sum = 0;
      for (int64_t c = 0; c < cols; ++c) sum += (bytes[static_cast<size_t>(c)] - range.zero_point) * weight.Kept(r, c);
      float result = static_cast<float>(sum) * range.scale * weight.scales.data<float>()[r];
      if (with_bias) result += weight.bias.data<float>()[r];
      y.mutable_data<float>()[t * rows + r] = result;
    }
  }
  return x.dtype() == DType::kF32 ? y : y.To(DType::kBF16);
}

Tensor Multiply(const Int8Kernel& kernel, const Int8Case& weight, const Tensor& x, bool with_bias,
                const Int8Range* given = nullptr) {
  const auto packed = kernel.pack({weight.values.data(), weight.mask.rows(), weight.mask.cols()}, weight.View());
  std::vector<int8_t> row(static_cast<size_t>(weight.mask.cols()));
  for (int64_t r = 0; r < weight.mask.rows(); ++r) {
    packed->UnpackRow(r, row.data());
    for (int64_t c = 0; c < weight.mask.cols(); ++c) EXPECT_EQ(row[static_cast<size_t>(c)], weight.Kept(r, c));
  }
  Tensor y = Tensor::Full({x.dim(0), weight.mask.rows()}, -77.0F).To(x.dtype());
  kernel.multiply(*packed,
                  {.scales = weight.scales.data<float>(),
                   .bias = with_bias ? weight.bias.data<float>() : nullptr,
                   .row_sums = weight.row_sums.data(),
                   .activation = given},
                  x.dim(0), x.dtype(), x.raw(), y.mutable_raw());
  return y;
}

void ExpectIsExact(const Int8Case& weight, const Tensor& x, bool with_bias, const Int8Range* given = nullptr) {
  const Tensor expected = Reference(weight, x, with_bias, given);
  for (const Int8Kernel& kernel : Int8Kernels()) {
    if (!Check(kernel, weight.Problem(x.dim(0))).can()) continue;
    SCOPED_TRACE(kernel.name);
    // A result that is not a number may be any NaN.
    const Tensor actual = Multiply(kernel, weight, x, with_bias, given);
    for (int64_t i = 0; i < expected.numel(); ++i) {
      const float a = Number(actual, i), b = Number(expected, i);
      ASSERT_TRUE(a == b || (std::isnan(a) && std::isnan(b))) << i << ": " << a << ", expected " << b;
    }
  }
}

TEST(Int8KernelTest, ProductsAreExact) {
  uint64_t seed = 0;
  for (const char* pattern : {"transposable:2:4", "greedy", "64:2:8", "8:2:5", "2:4", "dense"}) {
    for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{64, 64}, {20, 136}, {132, 592}, {4, 8}}) {
      const Int8Case weight(rows, cols, pattern, ++seed);
      for (const int64_t batch : {1, 7, 17, 40, 64, 131}) {
        SCOPED_TRACE(std::string(pattern) + " " + std::to_string(rows) + " " + std::to_string(cols) + " " +
                     std::to_string(batch));
        const Tensor x = RandomF32({batch, cols}, {seed, 9}, -3, 2);
        ExpectIsExact(weight, x, batch % 2 == 0);
        ExpectIsExact(weight, x.To(DType::kBF16), batch % 2 == 1);
      }
    }
  }
}

TEST(Int8KernelTest, AnySizeIsFineForWholeMatrices) {
  for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{1, 1}, {5, 3}, {33, 67}, {18, 1026}}) {
    const Int8Case weight(rows, cols, "dense", 3);
    const Tensor x = RandomF32({37, cols}, {4});
    ExpectIsExact(weight, x, true);
    ExpectIsExact(weight, x.To(DType::kBF16), true);
  }
}

TEST(Int8KernelTest, TheLargestSumsDoNotOverflow) {
  const int64_t cols = kMostInt8Columns;
  Int8Case weight(4, cols, "dense");
  std::fill(weight.values.begin(), weight.values.end(), int8_t{-127});
  std::fill(weight.row_sums.begin(), weight.row_sums.end(), static_cast<int32_t>(-127 * cols));
  ExpectIsExact(weight, Tensor::Full({2, cols}, 5.0F), false);   // All bytes are 255.
  ExpectIsExact(weight, Tensor::Full({2, cols}, -5.0F), false);  // All are 0, and the zero point is 255.
}

TEST(Int8KernelTest, OddTokens) {
  const Int8Case weight(16, 24, "transposable:2:4");
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float numbers[] = {0.0F, -0.0F, 1e-42F, 1e-37F, 3e38F, -3e38F, kInfinity, -kInfinity, std::nanf("")};
  Tensor x = Tensor::Zeros({11, 24});
  for (int64_t t = 1; t < 10; ++t) x.mutable_data<float>()[t * 24 + 5 + t] = numbers[t - 1];
  for (int64_t c = 0; c < 24; ++c) x.mutable_data<float>()[10 * 24 + c] = c % 2 == 0 ? 3e38F : -3e38F;
  ExpectIsExact(weight, x, true);
  const Int8Range given{.scale = 0.5F, .zero_point = 100};
  ExpectIsExact(weight, x, true, &given);
}

TEST(Int8KernelTest, AGivenRangeSaturates) {
  const Int8Case weight(16, 64, "transposable:2:4");
  const Int8Range given{.scale = 0.01F, .zero_point = 37};
  ExpectIsExact(weight, RandomF32({70, 64}, {5}, -4, 6), true, &given);
}

TEST(Int8KernelTest, ThreadsMakeNoDifference) {
  const Int8Case weight(260, 128, "transposable:2:4");
  const Tensor x = RandomF32({200, 128}, {6});
  for (const Int8Kernel& kernel : Int8Kernels()) {
    if (!Check(kernel, weight.Problem(200)).can()) continue;
    const test::ScopedNumThreads one(1);
    const Tensor expected = Multiply(kernel, weight, x, true);
    for (const int threads : {2, 5}) {
      const test::ScopedNumThreads several(threads);
      test::ExpectBitEqual(Multiply(kernel, weight, x, true), expected);
    }
  }
}

TEST(RangeOfTest, HoldsZeroAndBothEnds) {
  for (const auto& [min, max] :
       {std::pair<float, float>{-1, 1}, {-3, 0.5}, {0, 7}, {2, 7}, {-5, -1}, {-1e-30F, 1e30F}}) {
    const Int8Range range = RangeOf(min, max);
    EXPECT_GE(range.zero_point, 0);
    EXPECT_LE(range.zero_point, 255);
    const double step = range.scale;
    EXPECT_LE(-step * range.zero_point, std::min(min, 0.0F) + step * 0.5001);
    EXPECT_GE(step * (255 - range.zero_point), std::max(max, 0.0F) - step * 0.5001);
    EXPECT_LE(255 * step, (double{std::max(max, 0.0F)} - std::min(min, 0.0F)) * 1.0001) << "no step is wasted";
  }
  EXPECT_EQ(RangeOf(0, 0).zero_point, 0);
  EXPECT_GT(RangeOf(0, 0).scale, 0);
  EXPECT_TRUE(std::isfinite(1 / RangeOf(-1e-45F, 1e-45F).scale));
  EXPECT_TRUE(std::isfinite(RangeOf(-3.4e38F, 3.4e38F).scale));
}

TEST(ChooseInt8KernelTest, TakesSparseKernelsForWhatTheyCanTake) {
  if (IsAllowed(Isa::kAmxBf16)) GTEST_SKIP() << "dense tiles are faster";
  const auto chosen = [](const std::string& pattern) {
    return ChooseInt8Kernel(Int8Case(64, 64, pattern).Problem(64)).family;
  };
  EXPECT_EQ(chosen("transposable:2:4"), "int8_pair_bucket");
  EXPECT_EQ(chosen("64:2:8"), "int8_pair_bucket");
  EXPECT_EQ(chosen("2:4"), "int8_dense") << "2:4 along rows alone";
  EXPECT_EQ(chosen("dense"), "int8_dense");
}

}  // namespace
}  // namespace twofour::sparse
