#include "twofour/core/kernels/elements/activation_loops.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include "twofour/core/kernels/elements/activation.h"

#include "tests/support/for_each_isa.h"
#include "tests/support/tensors.h"

// Compares every instruction set with a reference that computes one element at a time in double.
namespace twofour::kernels {
namespace {

constexpr float kCap = 15, kGuard = 12345;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();
constexpr double kUlp = 1.0 / (1 << 23);  // The distance between floats just above 1.
constexpr double kTiny = 1e-43;           // The error that denormal factors may cause.

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

double NormalCdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

/// What an element should be, and how far from it an f32 may be.
struct Expected {
  double value, tolerance;
};

Expected WithinUlps(double ulps, double value) { return {value, ulps * kUlp * std::fabs(value) + kTiny}; }

/// One result of a loop of up to three inputs.
struct Loop {
  std::string name;
  std::function<void(int64_t n, const float*a, const float*b, const float*c, float*out)> run, run_threaded;
  std::function<Expected(double a, double b, double c)> element;
};

/// The argument of the sigmoid in GeluTanh.
double TwiceU(double x) { return 2 * std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x); }

/// Calls swiglu_grad and keeps one of its results.
template <typename F>
void OneGrad(bool of_gate, int64_t n, const float* a, const float* b, const float* c, float* out, F swiglu_grad) {
  std::vector<float> other(static_cast<size_t>(n));
  swiglu_grad(n, a, b, c, of_gate ? out : other.data(), of_gate ? other.data() : out);
}

/// Negative numbers have no logarithm.
void LogOfSize(void (*log)(int64_t, const float*, float*), int64_t n, const float* a, float* out) {
  std::transform(a, a + n, out, [](float x) { return std::fabs(x); });
  log(n, out, out);
}

constexpr auto kSwiGluGradLoop = [](auto... args) { loops::SwiGluGrad(args...); };
constexpr auto kSwiGluGrad = [](auto... args) { SwiGluGrad<float>(args...); };

std::vector<Loop> Loops() {
  return {
      {"Gelu", [](auto n, auto a, auto, auto, auto out) { loops::Gelu(n, a, out); },
       [](auto n, auto a, auto, auto, auto out) { Gelu<float>(n, a, out); },
       [](double a, double, double) { return WithinUlps(6, a * NormalCdf(a)); }},
      {"GeluGrad", [](auto n, auto a, auto b, auto, auto out) { loops::GeluGrad(n, a, b, out); },
       [](auto n, auto a, auto b, auto, auto out) { GeluGrad<float>(n, a, b, out); },
       [](double a, double b, double) {
         // The sum crosses zero near -0.75, so the tolerance is absolute there.
         const double density = std::exp(-a * a / 2) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
         return Expected{b * (NormalCdf(a) + a * density),
                         6 * kUlp * std::fabs(b) * (NormalCdf(a) + std::fabs(a) * density) + kTiny};
       }},
      {"GeluTanh", [](auto n, auto a, auto, auto, auto out) { loops::GeluTanh(n, a, out); },
       [](auto n, auto a, auto, auto, auto out) { GeluTanh<float>(n, a, out); },
       // An error in the sigmoid's argument 2u is one of 2u ulp in its exponential.
       [](double a, double, double) { return WithinUlps(8 + 2 * std::fabs(TwiceU(a)), a * Sigmoid(TwiceU(a))); }},
      {"GeluTanhGrad", [](auto n, auto a, auto b, auto, auto out) { loops::GeluTanhGrad(n, a, b, out); },
       [](auto n, auto a, auto b, auto, auto out) { GeluTanhGrad<float>(n, a, b, out); },
       [](double a, double b, double) {
         // The sum crosses zero near -0.75, so the tolerance is absolute there.
         const double u = TwiceU(a), slope = 2 * std::sqrt(2 / std::numbers::pi) * (1 + 3 * 0.044715 * a * a);
         const double term = a * Sigmoid(-u) * slope;
         // Where the sigmoid is denormal, its error is as large as the smallest float.
         return Expected{b * Sigmoid(u) * (1 + term),
                         ((8 + 2 * std::fabs(u)) * kUlp * std::fabs(b) * Sigmoid(u) + kTiny) * (1 + std::fabs(term))};
       }},
      {"Exp", [](auto n, auto a, auto, auto, auto out) { loops::Exp(n, a, out); },
       [](auto n, auto a, auto, auto, auto out) { Exp<float>(n, a, out); },
       [](double a, double, double) { return WithinUlps(2, std::exp(a)); }},
      {"Log of the size", [](auto n, auto a, auto, auto, auto out) { LogOfSize(loops::Log, n, a, out); },
       [](auto n, auto a, auto, auto, auto out) { LogOfSize(Log<float>, n, a, out); },
       [](double a, double, double) { return WithinUlps(4, std::log(std::fabs(a))); }},
      {"Sigmoid", [](auto n, auto a, auto, auto, auto out) { loops::Sigmoid(n, a, out); },
       [](auto n, auto a, auto, auto, auto out) { kernels::Sigmoid<float>(n, a, out); },
       [](double a, double, double) { return WithinUlps(6, Sigmoid(a)); }},
      {"SigmoidGrad", [](auto n, auto a, auto b, auto, auto out) { loops::SigmoidGrad(n, a, b, out); },
       [](auto n, auto a, auto b, auto, auto out) { SigmoidGrad<float>(n, a, b, out); },
       [](double a, double b, double) { return WithinUlps(8, Sigmoid(a) * Sigmoid(-a) * b); }},
      {"SoftCap", [](auto n, auto a, auto, auto, auto out) { loops::SoftCap(n, kCap, a, out); },
       [](auto n, auto a, auto, auto, auto out) { SoftCap<float>(n, kCap, a, out); },
       [](double a, double, double) { return WithinUlps(6, double{kCap} * std::tanh(a / double{kCap})); }},
      {"SoftCapGrad", [](auto n, auto a, auto b, auto, auto out) { loops::SoftCapGrad(n, kCap, a, b, out); },
       [](auto n, auto a, auto b, auto, auto out) { SoftCapGrad<float>(n, kCap, a, b, out); },
       [](double a, double b, double) {
         const double ratio = a / double{kCap};
         return Expected{b * (1 - ratio * ratio), 3 * kUlp * std::fabs(b) * (1 + ratio * ratio)};
       }},
      {"SwiGlu", [](auto n, auto a, auto b, auto, auto out) { loops::SwiGlu(n, a, b, out); },
       [](auto n, auto a, auto b, auto, auto out) { SwiGlu<float>(n, a, b, out); },
       [](double a, double b, double) { return WithinUlps(8, a * Sigmoid(a) * b); }},
      {"SwiGluGrad, gate",
       [](auto n, auto a, auto b, auto c, auto out) { OneGrad(true, n, a, b, c, out, kSwiGluGradLoop); },
       [](auto n, auto a, auto b, auto c, auto out) { OneGrad(true, n, a, b, c, out, kSwiGluGrad); },
       [](double a, double b, double c) {
         // 1 + a Sigmoid(-a) crosses zero near -1.28, so the tolerance is absolute there.
         const double scale = std::fabs(b * c) * Sigmoid(a);
         return Expected{b * c * Sigmoid(a) * (1 + a * Sigmoid(-a)),
                         8 * kUlp * scale * (1 + std::fabs(a) * Sigmoid(-a)) + kTiny};
       }},
      {"SwiGluGrad, up",
       [](auto n, auto a, auto b, auto c, auto out) { OneGrad(false, n, a, b, c, out, kSwiGluGradLoop); },
       [](auto n, auto a, auto b, auto c, auto out) { OneGrad(false, n, a, b, c, out, kSwiGluGrad); },
       [](double a, double, double c) { return WithinUlps(8, a * Sigmoid(a) * c); }},
  };
}

/// Numbers from [-16, 16]. If `capped`, they are within the range of a cap's output.
std::vector<float> Inputs(int64_t n, uint32_t stream, bool capped) {
  RandomSequence random({.seed = 1, .stream = stream});
  std::vector<float> x(static_cast<size_t>(n));
  for (float& value : x) value = random.Uniform(-1, 1) * (capped ? kCap : 16.0f);
  return x;
}

void ExpectElement(const Loop& loop, float actual, float a, float b, float c) {
  const Expected expected = loop.element(static_cast<double>(a), static_cast<double>(b), static_cast<double>(c));
  ASSERT_NEAR(static_cast<double>(actual), expected.value, expected.tolerance) << "of " << a << ", " << b << ", " << c;
}

TEST(ActivationLoopsTest, EveryLengthAndAlignmentAgreesWithDouble) {
  for (const Loop& loop : Loops()) {
    SCOPED_TRACE(loop.name);
    test::ForEachIsa([&](Isa) {
      for (int64_t n = 0; n <= 70; ++n) {
        const int64_t shift = n % 4;  // Neither inputs nor outputs are aligned to vectors.
        const auto a = Inputs(n + shift, 1, true), b = Inputs(n + 1, 2, false), c = Inputs(n, 3, false);
        std::vector<float> out(static_cast<size_t>(n + shift + 1), kGuard);
        loop.run(n, a.data() + shift, b.data() + 1, c.data(), out.data() + shift);
        for (int64_t i = 0; i < n; ++i) ExpectElement(loop, out[i + shift], a[i + shift], b[i + 1], c[i]);
        ASSERT_EQ(out.back(), kGuard) << "wrote past " << n;
      }
    });
  }
}

TEST(ActivationLoopsTest, TheOutputMayBeAnInput) {
  constexpr int64_t kSize = 61;
  const auto a = Inputs(kSize, 4, true), b = Inputs(kSize, 5, false), c = Inputs(kSize, 6, false);
  for (const Loop& loop : Loops()) {
    SCOPED_TRACE(loop.name);
    test::ForEachIsa([&](Isa) {
      std::vector<float> first = a, second = b, expected(kSize);
      loop.run(kSize, a.data(), b.data(), c.data(), expected.data());
      loop.run(kSize, first.data(), b.data(), c.data(), first.data());
      EXPECT_EQ(first, expected);
      loop.run(kSize, a.data(), second.data(), c.data(), second.data());
      EXPECT_EQ(second, expected);
    });
  }
}

TEST(ActivationLoopsTest, DenselyOverMagnitudesFromTinyToHuge) {
  std::vector<float> x;
  for (double magnitude = 1e-30; magnitude < 80; magnitude *= 1.003) {
    for (const double sign : {-1.0, 1.0}) x.push_back(static_cast<float>(sign * magnitude));
  }
  const auto n = static_cast<int64_t>(x.size());
  const std::vector<float> ones(x.size(), 1);
  for (const Loop& loop : Loops()) {
    if (loop.name == "SoftCapGrad") continue;  // Its input is a cap's output.
    SCOPED_TRACE(loop.name);
    test::ForEachIsa([&](Isa) {
      std::vector<float> out(x.size());
      loop.run(n, x.data(), ones.data(), ones.data(), out.data());
      for (size_t i = 0; i < x.size(); ++i) ExpectElement(loop, out[i], x[i], 1, 1);
    });
  }
}

TEST(ActivationLoopsTest, HugeInputsSaturateAndNanStaysNan) {
  constexpr float kMax = std::numeric_limits<float>::max();
  const std::vector<float> x = {kMax, -kMax, 1e10f, -1e10f, kNan, 0}, ones(6, 1);
  test::ForEachIsa([&](Isa) {
    std::vector<float> y(6), dx(6), dup(6);
    loops::Gelu(6, x.data(), y.data());
    EXPECT_EQ((std::vector<float>(y.begin(), y.begin() + 4)), (std::vector<float>{kMax, 0, 1e10f, 0}));
    EXPECT_TRUE(std::isnan(y[4]));
    EXPECT_EQ(y[5], 0.0f);
    loops::GeluGrad(6, x.data(), ones.data(), dx.data());
    EXPECT_EQ((std::vector<float>(dx.begin(), dx.begin() + 4)), (std::vector<float>{1, 0, 1, 0}));
    EXPECT_TRUE(std::isnan(dx[4]));
    loops::SoftCap(6, kCap, x.data(), y.data());
    EXPECT_EQ((std::vector<float>(y.begin(), y.begin() + 4)), (std::vector<float>{kCap, -kCap, kCap, -kCap}));
    EXPECT_TRUE(std::isnan(y[4]));
    EXPECT_EQ(y[5], 0.0f);
    loops::SoftCapGrad(6, kCap, y.data(), ones.data(), dx.data());
    EXPECT_EQ((std::vector<float>(dx.begin(), dx.begin() + 4)), (std::vector<float>(4)));
    EXPECT_TRUE(std::isnan(dx[4]));
    EXPECT_EQ(dx[5], 1.0f);
    loops::SwiGlu(6, x.data(), ones.data(), y.data());
    EXPECT_EQ((std::vector<float>(y.begin(), y.begin() + 4)), (std::vector<float>{kMax, 0, 1e10f, 0}));
    EXPECT_TRUE(std::isnan(y[4]));
    EXPECT_EQ(y[5], 0.0f);
    loops::SwiGluGrad(6, x.data(), ones.data(), ones.data(), dx.data(), dup.data());
    EXPECT_EQ((std::vector<float>(dx.begin(), dx.begin() + 4)), (std::vector<float>{1, 0, 1, 0}));
    EXPECT_EQ((std::vector<float>(dup.begin(), dup.begin() + 4)), (std::vector<float>{kMax, 0, 1e10f, 0}));
    EXPECT_TRUE(std::isnan(dx[4]));
    EXPECT_TRUE(std::isnan(dup[4]));
    const std::vector<float> infinite = {kInfinity, -kInfinity};
    loops::SoftCap(2, kCap, infinite.data(), y.data());
    EXPECT_EQ(y[0], kCap);
    EXPECT_EQ(y[1], -kCap);
  });
}

TEST(ActivationLoopsTest, GeluIsExactToAFewUlpDownToItsTail) {
  std::vector<float> x;
  for (float value = -12; value < 12; value += 0.0003f) x.push_back(value);
  const auto n = static_cast<int64_t>(x.size());
  const std::vector<float> ones(x.size(), 1);
  test::ForEachIsa([&](Isa) {
    std::vector<float> y(x.size()), dx(x.size());
    loops::Gelu(n, x.data(), y.data());
    loops::GeluGrad(n, x.data(), ones.data(), dx.data());
    double largest = 0, largest_absolute = 0, largest_of_grad = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double a = static_cast<double>(x[i]), expected = a * NormalCdf(a);
      const double error = std::fabs(static_cast<double>(y[i]) - expected);
      largest = std::max(largest, error / std::fabs(expected));
      if (a < 2) largest_absolute = std::max(largest_absolute, error);
      // Computed in another way than by the op: by the difference quotient in long double.
      const auto gelu = [](long double v) { return v * 0.5L * std::erfc(-v / std::numbers::sqrt2_v<long double>); };
      const auto slope = static_cast<double>((gelu(a + 1e-6L) - gelu(a - 1e-6L)) / 2e-6L);
      largest_of_grad = std::max(largest_of_grad, std::fabs(static_cast<double>(dx[i]) - slope));
    }
    EXPECT_LT(largest, 6 * kUlp);
    EXPECT_LT(largest_absolute, 3e-7);
    EXPECT_LT(largest_of_grad, 3e-7);
  });
}

TEST(ActivationLoopsTest, ThreadsDoNotMatter) {
  constexpr int64_t kSize = 100'003;
  const auto a = Inputs(kSize, 7, true), b = Inputs(kSize, 8, false), c = Inputs(kSize, 9, false);
  for (const Loop& loop : Loops()) {
    SCOPED_TRACE(loop.name);
    std::vector<float> expected(kSize);
    loop.run(kSize, a.data(), b.data(), c.data(), expected.data());
    for (const int threads : {1, 2, 3}) {
      const test::ScopedNumThreads scope(threads);
      std::vector<float> out(kSize);
      loop.run_threaded(kSize, a.data(), b.data(), c.data(), out.data());
      ASSERT_EQ(out, expected) << threads << " threads";
    }
  }
}

}  // namespace
}  // namespace twofour::kernels
