// Loops over bf16. Each must give what the loop over the same numbers as floats gives, rounded once, on every
// instruction set. Other tests compare the loops over floats with references.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include "twofour/core/dtype.h"
#include "twofour/core/kernels/attention/rotary_loops.h"
#include "twofour/core/kernels/elements/activation_loops.h"
#include "twofour/core/kernels/elements/elementwise_loops.h"
#include "twofour/core/kernels/elements/reduce_loops.h"
#include "twofour/core/kernels/rows/norm_loops.h"
#include "twofour/core/kernels/rows/softmax_loops.h"

#include "tests/support/awkward_floats.h"
#include "tests/support/awkward_halves.h"
#include "tests/support/for_each_isa.h"

namespace twofour::kernels {
namespace {

using test::AwkwardFloats;
using test::AwkwardHalves;
using test::SameHalf;
using test::Widened;

constexpr float kFactor = -0.3f, kCap = 1.5f, kCenter = 0.3f, kScale = 1.7f, kMeanG = -0.2f, kMeanGn = 0.6f;

/// What a loop reads: activations of type T, and parameters of float. All have n elements. An array before x + 1 and
/// the others starts one element early, so that no two are aligned alike.
template <typename T>
struct Input {
  const T *a, *b, *c;
  const float *row, *other_row;
};

/// A loop with one or two results of n elements each. `call(n, input, first, second)` runs it on floats and on bf16.
struct Loop {
  std::string name;
  std::function<void(int64_t, const Input<float>&, float*, float*)> on_floats;
  std::function<void(int64_t, const Input<BFloat16>&, BFloat16*, BFloat16*)> on_bf16;
};

template <typename F>
Loop Make(std::string name, F call) {
  return {std::move(name), call, call};
}

std::vector<Loop> Loops() {
  return {
      Make("Add", [](auto n, auto& in, auto* out, auto*) { loops::Add(n, in.a, in.b, out); }),
      Make("Mul", [](auto n, auto& in, auto* out, auto*) { loops::Mul(n, in.a, in.b, out); }),
      Make("Scale", [](auto n, auto& in, auto* out, auto*) { loops::Scale(n, kFactor, in.a, out); }),
      Make("Relu", [](auto n, auto& in, auto* out, auto*) { loops::Relu(n, in.a, out); }),
      Make("ReluGrad", [](auto n, auto& in, auto* out, auto*) { loops::ReluGrad(n, in.a, in.b, out); }),
      Make("ReluSquared", [](auto n, auto& in, auto* out, auto*) { loops::ReluSquared(n, in.a, out); }),
      Make("ReluSquaredGrad", [](auto n, auto& in, auto* out, auto*) { loops::ReluSquaredGrad(n, in.a, in.b, out); }),
      Make("AddRow",
           [](auto n, auto& in, auto* out, auto*) {
             std::copy_n(in.a, n, out);
             loops::AddRow(1, n, in.row, out);
           }),
      Make("Gelu", [](auto n, auto& in, auto* out, auto*) { loops::Gelu(n, in.a, out); }),
      Make("GeluGrad", [](auto n, auto& in, auto* out, auto*) { loops::GeluGrad(n, in.a, in.b, out); }),
      Make("GeluTanh", [](auto n, auto& in, auto* out, auto*) { loops::GeluTanh(n, in.a, out); }),
      Make("GeluTanhGrad", [](auto n, auto& in, auto* out, auto*) { loops::GeluTanhGrad(n, in.a, in.b, out); }),
      Make("SoftCap", [](auto n, auto& in, auto* out, auto*) { loops::SoftCap(n, kCap, in.a, out); }),
      Make("SoftCapGrad",
           [](auto n, auto& in, auto* out, auto*) {
             if constexpr (std::is_same_v<decltype(out), float*>) {
               std::vector<float> y(static_cast<size_t>(n));
               loops::SoftCap(n, kCap, in.a, y.data());
               loops::SoftCapGrad(n, kCap, y.data(), in.b, out);
             } else {
               loops::SoftCapGradOfInput(n, kCap, in.a, in.b, out);
             }
           }),
      Make("SwiGlu", [](auto n, auto& in, auto* out, auto*) { loops::SwiGlu(n, in.a, in.b, out); }),
      Make("SwiGluGrad",
           [](auto n, auto& in, auto* out, auto* second) { loops::SwiGluGrad(n, in.a, in.b, in.c, out, second); }),
      Make("Normalize",
           [](auto n, auto& in, auto* out, auto* second) {
             loops::Normalize(n, kCenter, kScale, in.a, in.row, in.other_row, out);
             loops::Normalize(n, kCenter, kScale, in.b, nullptr, in.row, second);
           }),
      Make("Normalize without bias",
           [](auto n, auto& in, auto* out, auto* second) {
             loops::Normalize(n, kCenter, kScale, in.a, in.row, nullptr, out);
             loops::Normalize(n, kCenter, kScale, in.b, nullptr, nullptr, second);
           }),
      Make("NormGrad",
           [](auto n, auto& in, auto* out, auto* second) {
             loops::NormGrad(n, kCenter, kScale, kMeanG, kMeanGn, in.a, in.row, in.b, out);
             loops::NormGrad(n, kCenter, kScale, kMeanG, kMeanGn, in.a, nullptr, in.b, second);
           }),
      Make("ScaledExp", [](auto n, auto& in, auto* out, auto*) { loops::ScaledExp(n, 0.5f, kFactor, in.row, out); }),
      Make("ScaledExpOfCapped",
           [](auto n, auto& in, auto* out, auto*) { loops::ScaledExpOfCapped(n, 0.5f, kFactor, kCap, in.row, out); }),
  };
}

/// Lengths around those of vectors and of the blocks that are rounded.
std::vector<int64_t> Lengths() {
  std::vector<int64_t> lengths = {511, 512, 513, 527, 545, 1024, 1055};
  for (int64_t n = 0; n <= 70; ++n) lengths.push_back(n);
  return lengths;
}

/// The numbers for one length.
struct Numbers {
  Numbers(int64_t n, bool specials)
      : a(AwkwardHalves(n + 1, {.seed = 1, .stream = static_cast<uint32_t>(n)}, specials)),
        b(AwkwardHalves(n + 2, {.seed = 2, .stream = static_cast<uint32_t>(n)}, specials)),
        c(AwkwardHalves(n, {.seed = 3, .stream = static_cast<uint32_t>(n)}, specials)),
        row(AwkwardFloats(n + 1, {.seed = 4, .stream = static_cast<uint32_t>(n)}, specials)),
        other_row(AwkwardFloats(n, {.seed = 5, .stream = static_cast<uint32_t>(n)}, specials)),
        wide_a(Widened(a)),
        wide_b(Widened(b)),
        wide_c(Widened(c)) {}

  Input<BFloat16> Halves() const { return {a.data() + 1, b.data() + 2, c.data(), row.data() + 1, other_row.data()}; }
  Input<float> Floats() const {
    return {wide_a.data() + 1, wide_b.data() + 2, wide_c.data(), row.data() + 1, other_row.data()};
  }

  std::vector<BFloat16> a, b, c;
  std::vector<float> row, other_row, wide_a, wide_b, wide_c;
};

void ExpectRounded(int64_t n, const BFloat16* actual, const std::vector<float>& expected) {
  for (int64_t i = 0; i < n; ++i) {
    ASSERT_PRED2(SameHalf, actual[i], BFloat16(expected[i])) << "element " << i << " of " << n << ": " << expected[i];
  }
}

TEST(Bf16LoopsTest, GiveWhatFloatsGiveRoundedOnce) {
  const BFloat16 guard(77);
  for (const Loop& loop : Loops()) {
    SCOPED_TRACE(loop.name);
    test::ForEachIsa([&](Isa) {
      for (const int64_t n : Lengths()) {
        const Numbers numbers(n, true);
        std::vector<float> first(static_cast<size_t>(n)), second(first.size());
        loop.on_floats(n, numbers.Floats(), first.data(), second.data());
        std::vector<BFloat16> narrow_first(first.size() + 2, guard), narrow_second(first.size() + 1, guard);
        std::fill_n(narrow_second.begin(), n, BFloat16(0));  // Of a loop with one result it stays zero.
        loop.on_bf16(n, numbers.Halves(), narrow_first.data() + 1, narrow_second.data());
        ExpectRounded(n, narrow_first.data() + 1, first);
        ExpectRounded(n, narrow_second.data(), second);
        ASSERT_EQ(narrow_first.front().bits(), guard.bits()) << "wrote before " << n;
        ASSERT_EQ(narrow_first.back().bits(), guard.bits()) << "wrote past " << n;
        ASSERT_EQ(narrow_second.back().bits(), guard.bits()) << "wrote past " << n;
      }
    });
  }
}

TEST(Bf16LoopsTest, TheOutputMayBeTheFirstInput) {
  constexpr int64_t kSize = 1055;
  const Numbers numbers(kSize, true);
  for (const Loop& loop : Loops()) {
    if (loop.name.starts_with("Norm")) continue;  // They write their two results one after the other.
    SCOPED_TRACE(loop.name);
    test::ForEachIsa([&](Isa) {
      std::vector<BFloat16> expected(kSize), second(kSize), in_place = numbers.a;
      loop.on_bf16(kSize, numbers.Halves(), expected.data(), second.data());
      Input<BFloat16> input = numbers.Halves();
      input.a = in_place.data() + 1;
      loop.on_bf16(kSize, input, in_place.data() + 1, second.data());
      for (int64_t i = 0; i < kSize; ++i) ASSERT_PRED2(SameHalf, in_place[i + 1], expected[i]) << i;
    });
  }
}

TEST(Bf16LoopsTest, RotateTurnsWhatFloatsAreTurnedTo) {
  test::ForEachIsa([](Isa) {
    for (const int64_t half : Lengths()) {
      const Numbers numbers(2 * half, true);
      const float *cosines = numbers.row.data() + 1, *sines = numbers.other_row.data();
      std::vector<float> y(static_cast<size_t>(2 * half));
      loops::Rotate(1, half, cosines, sines, numbers.wide_a.data() + 1, y.data());
      std::vector<BFloat16> narrow(y.size() + 1, BFloat16(77));
      loops::Rotate(1, half, cosines, sines, numbers.a.data() + 1, narrow.data());
      ExpectRounded(2 * half, narrow.data(), y);
      ASSERT_EQ(static_cast<float>(narrow.back()), 77);
    }
  });
}

TEST(Bf16LoopsTest, FloatResultsHaveTheSameBits) {
  test::ForEachIsa([](Isa) {
    for (const int64_t n : Lengths()) {
      const Numbers numbers(n, true);
      std::vector<float> expected = numbers.other_row, actual = expected;
      loops::AddTo(n, numbers.wide_a.data() + 1, expected.data());
      loops::AddTo(n, numbers.a.data() + 1, actual.data());
      for (int64_t i = 0; i < n; ++i) ASSERT_PRED2(test::SameFloat, actual[i], expected[i]) << i << " of " << n;
      loops::NormalizedProduct(n, kCenter, kScale, numbers.wide_a.data() + 1, numbers.wide_b.data() + 2,
                               expected.data());
      loops::NormalizedProduct(n, kCenter, kScale, numbers.a.data() + 1, numbers.b.data() + 2, actual.data());
      for (int64_t i = 0; i < n; ++i) ASSERT_PRED2(test::SameFloat, actual[i], expected[i]) << i << " of " << n;
    }
  });
}

void ExpectSameDouble(double actual, double expected) {
  if (std::isnan(expected)) {
    ASSERT_TRUE(std::isnan(actual));
  } else {
    ASSERT_EQ(actual, expected);
  }
}

TEST(Bf16LoopsTest, SumsHaveTheSameBits) {
  test::ForEachIsa([](Isa) {
    for (const bool specials : {false, true}) {
      for (const int64_t n : Lengths()) {
        SCOPED_TRACE(n);
        const Numbers numbers(n, specials);
        const auto [a, b, c, row, other_row] = numbers.Halves();
        const auto [wide_a, wide_b, wide_c, same_row, same_other_row] = numbers.Floats();
        ExpectSameDouble(loops::Sum(n, a), loops::Sum(n, wide_a));
        ExpectSameDouble(loops::SumOfSquares(n, a), loops::SumOfSquares(n, wide_a));
        ExpectSameDouble(loops::Dot(n, a, row), loops::Dot(n, wide_a, row));
        ExpectSameDouble(loops::SumOfSquaredDeviations(n, 0.1, a), loops::SumOfSquaredDeviations(n, 0.1, wide_a));
        ExpectSameDouble(loops::DotOfNormGrad(n, 0.1, a, row, b), loops::DotOfNormGrad(n, 0.1, wide_a, row, wide_b));
        ExpectSameDouble(loops::DotOfNormGrad(n, 0.1, a, nullptr, b),
                         loops::DotOfNormGrad(n, 0.1, wide_a, nullptr, wide_b));
      }
    }
  });
}

TEST(Bf16LoopsTest, AddRowsToAddsTheSameNumbers) {
  test::ForEachIsa([](Isa) {
    for (int64_t rows = 0; rows <= 9; ++rows) {
      for (int64_t cols = 0; cols <= 35; ++cols) {
        const int64_t stride = cols + 3;
        const auto matrix = AwkwardHalves(rows * stride + 1, {.seed = 6, .stream = static_cast<uint32_t>(cols)}, true);
        const auto wide = Widened(matrix);
        std::vector<double> sums(static_cast<size_t>(cols + 1), 0.5), expected = sums;
        loops::AddRowsTo(rows, cols, stride, matrix.data() + 1, sums.data());
        loops::AddRowsTo(rows, cols, stride, wide.data() + 1, expected.data());
        for (size_t i = 0; i < sums.size(); ++i) ExpectSameDouble(sums[i], expected[i]);
      }
    }
  });
}

}  // namespace
}  // namespace twofour::kernels
