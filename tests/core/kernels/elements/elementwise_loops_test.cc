#include "twofour/core/kernels/elements/elementwise_loops.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "twofour/core/kernels/elements/elementwise.h"

#include "tests/support/awkward_floats.h"
#include "tests/support/for_each_isa.h"
#include "tests/support/tensors.h"

// Compares every instruction set with one element at a time in double, rounded after each operation. An f32 sum or
// product in double, rounded to f32, is what f32 arithmetic gives.
namespace twofour::kernels {
namespace {

using test::AwkwardFloats;
using test::SameFloat;

constexpr float kFactor = -0.3f;
constexpr float kGuard = 12345;

float Rounded(double x) { return static_cast<float>(x); }
double Positive(double x) { return x < 0 ? 0 : x; }

/// A loop: how to call it with (n, a, b, out), where `out` holds old values, and the expected value of an element.
struct Loop {
  std::string name;
  std::function<void(int64_t n, const float*a, const float*b, float*out)> run, run_threaded;
  std::function<float(double a, double b, double out)> element;
};

std::vector<Loop> Loops() {
  return {
      {"Add", [](auto n, auto a, auto b, auto out) { loops::Add(n, a, b, out); },
       [](auto n, auto a, auto b, auto out) { Add<float>(n, a, b, out); },
       [](double a, double b, double) { return Rounded(a + b); }},
      {"Sub", [](auto n, auto a, auto b, auto out) { loops::Sub(n, a, b, out); },
       [](auto n, auto a, auto b, auto out) { Sub<float>(n, a, b, out); },
       [](double a, double b, double) { return Rounded(a - b); }},
      {"Div", [](auto n, auto a, auto b, auto out) { loops::Div(n, a, b, out); },
       [](auto n, auto a, auto b, auto out) { Div<float>(n, a, b, out); },
       [](double a, double b, double) { return Rounded(a / b); }},
      {"Mul", [](auto n, auto a, auto b, auto out) { loops::Mul(n, a, b, out); },
       [](auto n, auto a, auto b, auto out) { Mul<float>(n, a, b, out); },
       [](double a, double b, double) { return Rounded(a * b); }},
      {"Scale", [](auto n, auto a, auto, auto out) { loops::Scale(n, kFactor, a, out); },
       [](auto n, auto a, auto, auto out) { Scale<float>(n, kFactor, a, out); },
       [](double a, double, double) { return Rounded(double{kFactor} * a); }},
      {"Axpy", [](auto n, auto a, auto, auto out) { loops::Axpy(n, kFactor, a, out); },
       [](auto n, auto a, auto, auto out) { Axpy<float>(n, kFactor, a, out); },
       [](double a, double, double out) { return Rounded(out + double{Rounded(double{kFactor} * a)}); }},
      {"Relu", [](auto n, auto a, auto, auto out) { loops::Relu(n, a, out); },
       [](auto n, auto a, auto, auto out) { Relu<float>(n, a, out); },
       [](double a, double, double) { return Rounded(Positive(a)); }},
      {"ReluGrad", [](auto n, auto a, auto b, auto out) { loops::ReluGrad(n, a, b, out); },
       [](auto n, auto a, auto b, auto out) { ReluGrad<float>(n, a, b, out); },
       [](double a, double b, double) { return a > 0 ? Rounded(b) : 0.0f; }},
      {"ReluSquared", [](auto n, auto a, auto, auto out) { loops::ReluSquared(n, a, out); },
       [](auto n, auto a, auto, auto out) { ReluSquared<float>(n, a, out); },
       [](double a, double, double) { return Rounded(Positive(a) * Positive(a)); }},
      {"ReluSquaredGrad", [](auto n, auto a, auto b, auto out) { loops::ReluSquaredGrad(n, a, b, out); },
       [](auto n, auto a, auto b, auto out) { ReluSquaredGrad<float>(n, a, b, out); },
       [](double a, double b, double) { return Rounded(double{Rounded(2 * Positive(a))} * b); }},
      {"AddRow", [](auto n, auto a, auto, auto out) { loops::AddRow(1, n, a, out); },
       [](auto n, auto a, auto, auto out) { AddRow<float>(1, n, a, out); },
       [](double a, double, double out) { return Rounded(out + a); }},
  };
}

std::vector<float> Expected(const Loop& loop, const std::vector<float>& a, const std::vector<float>& b,
                            const std::vector<float>& out) {
  std::vector<float> expected;
  for (size_t i = 0; i < a.size(); ++i) {
    expected.push_back(loop.element(static_cast<double>(a[i]), static_cast<double>(b[i]), static_cast<double>(out[i])));
  }
  return expected;
}

void ExpectSame(const float* actual, const std::vector<float>& expected) {
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_PRED2(SameFloat, actual[i], expected[i]) << "element " << i << " of " << expected.size();
  }
}

TEST(ElementwiseLoopsTest, EveryLengthAndAlignmentAgreesWithScalarArithmetic) {
  for (const Loop& loop : Loops()) {
    SCOPED_TRACE(loop.name);
    test::ForEachIsa([&](Isa) {
      for (int64_t n = 0; n <= 70; ++n) {
        const int64_t shift = n % 4;  // Neither inputs nor outputs are aligned to vectors.
        const auto a = AwkwardFloats(n, {.seed = 1, .stream = static_cast<uint32_t>(n)}, true);
        const auto b = AwkwardFloats(n, {.seed = 2, .stream = static_cast<uint32_t>(n)}, true);
        const auto before = AwkwardFloats(n, {.seed = 3, .stream = static_cast<uint32_t>(n)}, true);
        std::vector<float> shifted_a(static_cast<size_t>(shift + 1)), shifted_b(1), out(static_cast<size_t>(shift));
        shifted_a.insert(shifted_a.end(), a.begin(), a.end());
        shifted_b.insert(shifted_b.end(), b.begin(), b.end());
        out.insert(out.end(), before.begin(), before.end());
        out.push_back(kGuard);
        loop.run(n, shifted_a.data() + shift + 1, shifted_b.data() + 1, out.data() + shift);
        ExpectSame(out.data() + shift, Expected(loop, a, b, before));
        ASSERT_EQ(out.back(), kGuard) << "wrote past " << n;
      }
    });
  }
}

TEST(ElementwiseLoopsTest, TheOutputMayBeEitherInput) {
  constexpr int64_t kSize = 61;
  const auto a = AwkwardFloats(kSize, {.seed = 4}, true), b = AwkwardFloats(kSize, {.seed = 5}, true);
  for (const Loop& loop : Loops()) {
    SCOPED_TRACE(loop.name);
    test::ForEachIsa([&](Isa) {
      std::vector<float> first = a, second = b;
      loop.run(kSize, first.data(), b.data(), first.data());
      ExpectSame(first.data(), Expected(loop, a, b, a));
      loop.run(kSize, a.data(), second.data(), second.data());
      ExpectSame(second.data(), Expected(loop, a, b, b));
    });
  }
}

TEST(ElementwiseLoopsTest, ThreadsDoNotMatter) {
  constexpr int64_t kSize = 100'003;
  const auto a = AwkwardFloats(kSize, {.seed = 6}, true), b = AwkwardFloats(kSize, {.seed = 7}, true);
  for (const Loop& loop : Loops()) {
    SCOPED_TRACE(loop.name);
    const std::vector<float> expected = Expected(loop, a, b, b);
    for (const int threads : {1, 2, 3}) {
      const test::ScopedNumThreads scope(threads);
      std::vector<float> out = b;
      loop.run_threaded(kSize, a.data(), b.data(), out.data());
      ExpectSame(out.data(), expected);
    }
  }
}

TEST(ElementwiseLoopsTest, AddRowAddsToEveryRow) {
  test::ForEachIsa([](Isa) {
    for (int64_t cols = 0; cols <= 37; ++cols) {
      constexpr int64_t kRows = 3;
      const auto row = AwkwardFloats(cols, {.seed = 8}, true);
      const auto before = AwkwardFloats(kRows * cols, {.seed = 9}, true);
      std::vector<float> matrix = before;
      loops::AddRow(kRows, cols, row.data(), matrix.data());
      for (int64_t i = 0; i < kRows * cols; ++i) {
        const double sum = static_cast<double>(before[i]) + static_cast<double>(row[i % cols]);
        ASSERT_PRED2(SameFloat, matrix[i], Rounded(sum)) << "element " << i << " of rows of " << cols;
      }
    }
  });
}

}  // namespace
}  // namespace twofour::kernels
