#include "twofour/core/kernels/elements/optimizer_updates.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/support/awkward_floats.h"
#include "tests/support/for_each_isa.h"
#include "tests/support/tensors.h"

// Compares every instruction set with the rules, applied to one number at a time. Each operation is in double and
// rounded to f32, which gives the same as f32 arithmetic, for square roots and quotients, too.
namespace twofour::kernels {
namespace {

using test::AwkwardFloats;
using test::SameFloat;

constexpr AdamWFactors kAdamW{.beta1 = 0.9f,
                              .beta2 = 0.999f,
                              .gain1 = 0.1f,
                              .gain2 = 0.001f,
                              .shrink = 0.9995f,
                              .rate = 0.01f,
                              .root_correction = 1.7f,
                              .eps = 1e-8f};

/// f32 arithmetic, computed in double.
struct Number {
  double value;
  explicit Number(double x) : value(static_cast<double>(static_cast<float>(x))) {}
  explicit Number(float x) : value(static_cast<double>(x)) {}
  Number operator+(Number other) const { return Number(value + other.value); }
  Number operator-(Number other) const { return Number(value - other.value); }
  Number operator*(Number other) const { return Number(value * other.value); }
  Number operator/(Number other) const { return Number(value / other.value); }
  float f32() const { return static_cast<float>(value); }
};

struct State {
  std::vector<float> grad, parameter, first, second;

  State(int64_t n, uint32_t stream)
      : grad(AwkwardFloats(n, {.seed = 1, .stream = stream}, true)),
        parameter(AwkwardFloats(n, {.seed = 2, .stream = stream}, true)),
        first(AwkwardFloats(n, {.seed = 3, .stream = stream}, true)),
        second(AwkwardFloats(n, {.seed = 4, .stream = stream}, true)) {
    for (float& v : second) v = std::fabs(v);  // They are means of squares.
  }
};

void ReferenceAdamW(State& state) {
  for (size_t i = 0; i < state.grad.size(); ++i) {
    const Number g(state.grad[i]), p(state.parameter[i]);
    const Number m = Number(kAdamW.beta1) * Number(state.first[i]) + Number(kAdamW.gain1) * g;
    const Number v = Number(kAdamW.beta2) * Number(state.second[i]) + Number(kAdamW.gain2) * g * g;
    const Number root = Number(std::sqrt(v.value)) * Number(kAdamW.root_correction) + Number(kAdamW.eps);
    state.first[i] = m.f32();
    state.second[i] = v.f32();
    state.parameter[i] = (Number(kAdamW.shrink) * p - Number(kAdamW.rate) * m / root).f32();
  }
}

void ReferenceSgd(State& state, const SgdFactors& factors, bool has_momentum) {
  for (size_t i = 0; i < state.grad.size(); ++i) {
    const Number p(state.parameter[i]);
    const Number d = Number(state.grad[i]) + Number(factors.weight_decay) * p;
    Number step = d;
    if (has_momentum) {
      const Number b = Number(factors.momentum) * Number(state.first[i]) + d;
      state.first[i] = b.f32();
      step = factors.nesterov ? d + Number(factors.momentum) * b : b;
    }
    state.parameter[i] = (p - Number(factors.rate) * step).f32();
  }
}

void ExpectSame(const State& actual, const State& expected) {
  for (size_t i = 0; i < expected.grad.size(); ++i) {
    ASSERT_PRED2(SameFloat, actual.grad[i], expected.grad[i]) << i;
    ASSERT_PRED2(SameFloat, actual.first[i], expected.first[i]) << i;
    ASSERT_PRED2(SameFloat, actual.second[i], expected.second[i]) << i;
    ASSERT_PRED2(SameFloat, actual.parameter[i], expected.parameter[i]) << i;
  }
}

TEST(AdamWUpdateTest, EveryLengthAgreesWithTheRule) {
  test::ForEachIsa([](Isa) {
    for (int64_t n = 0; n <= 70; ++n) {
      SCOPED_TRACE(n);
      State actual(n, static_cast<uint32_t>(n)), expected = actual;
      AdamWUpdate(n, kAdamW, actual.grad.data(), actual.parameter.data(), actual.first.data(), actual.second.data());
      ReferenceAdamW(expected);
      ExpectSame(actual, expected);
    }
  });
}

TEST(AdamWUpdateTest, UnalignedArraysAndThreadsDoNotMatter) {
  constexpr int64_t kSize = 50'003;
  State expected(kSize, 1);
  const State start = expected;
  ReferenceAdamW(expected);
  expected.parameter[0] = start.parameter[0];
  expected.first[0] = start.first[0];
  expected.second[0] = start.second[0];
  test::ForEachIsa([&](Isa) {
    for (const int threads : {1, 2, 3}) {
      const test::ScopedNumThreads scope(threads);
      State actual = start;
      AdamWUpdate(kSize - 1, kAdamW, actual.grad.data() + 1, actual.parameter.data() + 1, actual.first.data() + 1,
                  actual.second.data() + 1);
      ExpectSame(actual, expected);
    }
  });
}

TEST(SgdUpdateTest, EveryLengthAgreesWithTheRule) {
  test::ForEachIsa([](Isa) {
    for (const bool has_momentum : {false, true}) {
      for (const bool nesterov : {false, true}) {
        const SgdFactors factors{.rate = 0.1f, .momentum = 0.9f, .weight_decay = 0.01f, .nesterov = nesterov};
        for (int64_t n = 0; n <= 70; ++n) {
          SCOPED_TRACE(::testing::Message() << n << (has_momentum ? " momentum" : "") << (nesterov ? " nesterov" : ""));
          State actual(n, static_cast<uint32_t>(n)), expected = actual;
          SgdUpdate(n, factors, actual.grad.data(), actual.parameter.data(),
                    has_momentum ? actual.first.data() : nullptr);
          ReferenceSgd(expected, factors, has_momentum);
          ExpectSame(actual, expected);
        }
      }
    }
  });
}

TEST(SgdUpdateTest, ThreadsDoNotMatter) {
  constexpr int64_t kSize = 50'003;
  const SgdFactors factors{.rate = 0.1f, .momentum = 0.9f, .weight_decay = 0.01f, .nesterov = true};
  for (const bool has_momentum : {false, true}) {
    State expected(kSize, 1);
    const State start = expected;
    ReferenceSgd(expected, factors, has_momentum);
    for (const int threads : {1, 2, 3}) {
      const test::ScopedNumThreads scope(threads);
      State actual = start;
      SgdUpdate(kSize, factors, actual.grad.data(), actual.parameter.data(),
                has_momentum ? actual.first.data() : nullptr);
      ExpectSame(actual, expected);
    }
  }
}

}  // namespace
}  // namespace twofour::kernels
