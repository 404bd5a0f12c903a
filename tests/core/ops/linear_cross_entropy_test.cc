#include "twofour/core/ops/linear_cross_entropy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/ops/activation.h"
#include "twofour/core/ops/arithmetic.h"
#include "twofour/core/ops/layout.h"
#include "twofour/core/ops/matmul.h"

#include "tests/support/for_each_isa.h"
#include "tests/support/gradient_checker.h"
#include "tests/support/tensors.h"

namespace twofour {
namespace {

using test::CheckGradients;
using test::ExpectBitEqual;
using test::ExpectClose;
using test::F32;
using test::I32;
using test::Leaf;
using test::RandomF64;
using test::RandomIndices;
using test::ScopedNumThreads;
using ::testing::HasSubstr;

using Options = LinearCrossEntropyOptions;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// The loss and the gradients of x and weight, with `upstream` as the loss's own gradient.
struct Result {
  Tensor loss, dx, dweight;
};

template <typename Head>
Result Run(const Tensor& x, const Tensor& weight, double upstream, Head head) {
  Tensor x_leaf = x.Clone(), weight_leaf = weight.Clone();
  x_leaf.set_requires_grad();
  weight_leaf.set_requires_grad();
  const Tensor loss = head(x_leaf, weight_leaf);
  loss.Backward(Tensor::Scalar(upstream, x.dtype()));
  return {loss.Detach(), x_leaf.grad(), weight_leaf.grad()};
}

Result Fused(const Tensor& x, const Tensor& weight, const Tensor& targets, const Options& options,
             double upstream = 1) {
  return Run(x, weight, upstream,
             [&](const Tensor& a, const Tensor& b) { return LinearCrossEntropy(a, b, targets, options); });
}

Result Composed(const Tensor& x, const Tensor& weight, const Tensor& targets, const Options& options,
                double upstream = 1) {
  return Run(x, weight, upstream, [&](const Tensor& a, const Tensor& b) {
    Tensor logits = Linear(a, b, Tensor());
    if (options.soft_cap > 0) logits = SoftCap(logits, options.soft_cap);
    return CrossEntropyLoss(Reshape(logits, {x.rows(), weight.dim(0)}), targets.View({x.rows()}), options.ignore_index);
  });
}

void ExpectCloseResults(const Result& actual, const Result& expected, double rtol, double atol) {
  ExpectClose(actual.loss, expected.loss, rtol, atol);
  ExpectClose(actual.dx, expected.dx, rtol, atol);
  ExpectClose(actual.dweight, expected.dweight, rtol, atol);
}

void ExpectSameBits(const Result& actual, const Result& expected) {
  ExpectBitEqual(actual.loss, expected.loss);
  ExpectBitEqual(actual.dx, expected.dx);
  ExpectBitEqual(actual.dweight, expected.dweight);
}

struct Case {
  Shape x;
  int64_t classes;
};

TEST(LinearCrossEntropyTest, EqualsTheComposedOps) {
  for (const Case& c :
       {Case{{1, 3}, 5}, Case{{7}, 4}, Case{{11, 1}, 1}, Case{{2, 5, 8}, 33}, Case{{67, 17}, 101}, Case{{0, 4}, 3}}) {
    const Tensor x = RandomF64(c.x, {1}, -2, 2), weight = RandomF64({c.classes, x.cols()}, {2}, -2, 2);
    const Shape rows(c.x.begin(), c.x.end() - 1);
    const Tensor targets = RandomIndices(rows, static_cast<uint32_t>(c.classes), {3});
    for (const double cap : {0.0, 1.5, 15.0}) {
      for (const int64_t chunk_rows : {0, 1, 3, 4, 1000}) {
        for (const double upstream : {1.0, -2.5}) {
          SCOPED_TRACE(::testing::Message() << ToString(c.x) << ", " << c.classes << " classes, cap " << cap
                                            << ", chunks of " << chunk_rows << ", upstream " << upstream);
          const Options options = {.soft_cap = cap, .chunk_rows = chunk_rows};
          const Result expected = Composed(x, weight, targets, options, upstream);
          ExpectCloseResults(Fused(x, weight, targets, options, upstream), expected, 1e-12, 1e-12);
          const Result f32 = Fused(x.To(DType::kF32), weight.To(DType::kF32), targets, options, upstream);
          const Result as_f64 = {f32.loss.To(DType::kF64), f32.dx.To(DType::kF64), f32.dweight.To(DType::kF64)};
          ExpectCloseResults(as_f64, expected, 2e-5, 2e-6);
        }
      }
    }
  }
}

TEST(LinearCrossEntropyTest, Gradients) {
  for (const double cap : {0.0, 2.0}) {
    for (const int64_t chunk_rows : {0, 2, 5}) {
      SCOPED_TRACE(::testing::Message() << "cap " << cap << ", chunks of " << chunk_rows);
      const auto head = [&](const std::vector<Tensor>& in) {
        return LinearCrossEntropy(in[0], in[1], in[2], {.soft_cap = cap, .ignore_index = 1, .chunk_rows = chunk_rows});
      };
      const Tensor x = RandomF64({7, 5}, {1}), weight = RandomF64({6, 5}, {2}, -2, 2);
      const Tensor targets = I32({0, 1, 5, 1, 2, 2, 4}, {7});
      EXPECT_TRUE(CheckGradients(head, {Leaf(x), Leaf(weight), targets}));
      EXPECT_TRUE(CheckGradients(head, {Leaf(x), weight, targets}));
      EXPECT_TRUE(CheckGradients(head, {x, Leaf(weight), targets}));
      EXPECT_TRUE(CheckGradients(head, {Leaf(x), Leaf(weight), I32({1, 1, 1, 1, 1, 1, 1}, {7})}));
      EXPECT_TRUE(CheckGradients(head, {Leaf(RandomF64({0, 5}, {1})), Leaf(weight), I32({}, {0})}));
    }
  }
}

TEST(LinearCrossEntropyTest, GradientsFlowThroughTheOpsBefore) {
  const auto head = [](const std::vector<Tensor>& in) {
    return LinearCrossEntropy(Linear(in[0], in[1], Tensor()), in[1], in[2], {.soft_cap = 3, .chunk_rows = 2});
  };
  EXPECT_TRUE(CheckGradients(head, {Leaf(RandomF64({3, 4}, {1})), Leaf(RandomF64({4, 4}, {2})), I32({3, 0, 2}, {3})}));
}

TEST(LinearCrossEntropyTest, BackwardAddsToGradientsThatAreThere) {
  Tensor x = RandomF64({4, 3}, {1}), weight = RandomF64({5, 3}, {2});
  const Tensor targets = I32({0, 4, 2, 2}, {4});
  const Result once = Fused(x, weight, targets, {});
  x.set_requires_grad();
  weight.set_requires_grad();
  for (int i = 0; i < 2; ++i) LinearCrossEntropy(x, weight, targets).Backward();
  ExpectClose(x.grad(), Scale(once.dx, 2), 1e-15, 1e-15);
  ExpectClose(weight.grad(), Scale(once.dweight, 2), 1e-15, 1e-15);
}

TEST(LinearCrossEntropyTest, NothingIsRecordedWithoutGradients) {
  Tensor x = RandomF64({4, 3}, {1}), weight = RandomF64({5, 3}, {2});
  const Tensor targets = I32({0, 4, 2, 2}, {4});
  EXPECT_FALSE(LinearCrossEntropy(x, weight, targets).requires_grad());
  x.set_requires_grad();
  const Tensor with_grad = LinearCrossEntropy(x, weight, targets);
  EXPECT_TRUE(with_grad.requires_grad());
  const NoGradGuard no_grad;
  const Tensor without = LinearCrossEntropy(x, weight, targets);
  EXPECT_FALSE(without.requires_grad());
  ExpectBitEqual(without.Detach(), with_grad.Detach());
}

TEST(LinearCrossEntropyTest, IgnoredRowsDoNotCount) {
  const Tensor x = RandomF64({3, 4}, {1}), weight = RandomF64({5, 4}, {2});
  const Tensor first = Tensor::FromVector(std::vector<double>(x.data<double>(), x.data<double>() + 4), {1, 4});
  const double expected = LinearCrossEntropy(first, weight, I32({2}, {1})).item();
  EXPECT_DOUBLE_EQ(LinearCrossEntropy(x, weight, I32({2, kIgnoreIndex, kIgnoreIndex}, {3})).item(), expected);
  const Result ignored = Fused(x, weight, I32({3, 3, 3}, {3}), {.ignore_index = 3});
  EXPECT_EQ(ignored.loss.item(), 0.0);
  ExpectBitEqual(ignored.dx, Tensor::Zeros({3, 4}, DType::kF64));
  ExpectBitEqual(ignored.dweight, Tensor::Zeros({5, 4}, DType::kF64));
}

TEST(LinearCrossEntropyTest, IgnoredRowsGetNoGradientWhateverTheyHold) {
  const Tensor x = F32({1, 2, kNan, 1, 0, 1}, {3, 2}), weight = F32({1, 0, 0, 1}, {2, 2});
  Tensor leaf = x.Clone();
  leaf.set_requires_grad();
  const Tensor loss = LinearCrossEntropy(leaf, weight, I32({0, -100, 1}, {3}), {.soft_cap = 4});
  EXPECT_TRUE(std::isfinite(loss.item()));
  loss.Backward();
  const std::vector<float> dx = leaf.grad().ToVector();
  for (const float value : dx) EXPECT_TRUE(std::isfinite(value));
  EXPECT_EQ(dx[2], 0.0f);
  EXPECT_EQ(dx[3], 0.0f);
}

TEST(LinearCrossEntropyTest, ANanSpoilsTheLoss) {
  const Tensor weight = F32({1, 0, 0, 1}, {2, 2});
  for (const double cap : {0.0, 4.0}) {
    EXPECT_TRUE(
        std::isnan(LinearCrossEntropy(F32({1, kNan}, {1, 2}), weight, I32({0}, {1}), {.soft_cap = cap}).item()));
  }
}

TEST(LinearCrossEntropyTest, LargeLogitsDoNotOverflow) {
  const Tensor x = F32({3e4f, -3e4f}, {1, 2}), weight = F32({1, 0, 0, 1, 1, 1}, {3, 2});
  test::ForEachIsa([&](Isa) {
    const Result plain = Fused(x, weight, I32({1}, {1}), {});
    EXPECT_EQ(plain.loss.item(), 6e4);
    ExpectBitEqual(plain.dx, F32({1, -1}, {1, 2}));
    const Result capped = Fused(x, weight, I32({1}, {1}), {.soft_cap = 10});
    EXPECT_NEAR(capped.loss.item(), 20 + std::log1p(std::exp(-10) + std::exp(-20)), 1e-5);
    ExpectClose(capped.dx, F32({4.5396e-5f, 4.5396e-5f}, {1, 2}), 1e-3, 1e-7);
  });
}

TEST(LinearCrossEntropyTest, SameBitsForAnyNumberOfThreads) {
  for (const DType dtype : {DType::kF32, DType::kF64}) {
    const Tensor x = RandomF64({300, 33}, {1}).To(dtype), weight = RandomF64({1031, 33}, {2}).To(dtype);
    const Tensor targets = RandomIndices({300}, 1031, {3});
    const auto run = [&](int threads, const Options& options) {
      const ScopedNumThreads scope(threads);
      return Fused(x, weight, targets, options, 0.3);
    };
    for (const Options& options : {Options{.soft_cap = 15}, Options{.chunk_rows = 77}}) {
      const Result expected = run(1, options);
      for (const int threads : {2, 3, 8}) {
        SCOPED_TRACE(threads);
        ExpectSameBits(run(threads, options), expected);
      }
    }
  }
}

TEST(LinearCrossEntropyTest, Errors) {
  const Tensor x = Tensor::Zeros({2, 3}), weight = Tensor::Zeros({4, 3});
  const Tensor targets = I32({0, 3}, {2});
  const auto message = [](const Tensor& a, const Tensor& b, const Tensor& t, const Options& options) -> std::string {
    try {
      LinearCrossEntropy(a, b, t, options);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(message(x, weight, I32({0, 4}, {2}), {}),
              HasSubstr("LinearCrossEntropy: target 4 at row 1 is outside [0, 4)"));
  EXPECT_THAT(message(x, weight, I32({-1, 0}, {2}), {}), HasSubstr("target -1 at row 0"));
  EXPECT_THAT(message(x, weight, I32({0, -100}, {2}), {.ignore_index = -1}), HasSubstr("target -100 at row 1"));
  EXPECT_THAT(message(x, weight, I32({0}, {1}), {}),
              HasSubstr("LinearCrossEntropy: targets [1] for x [2, 3], expected 2 of them"));
  EXPECT_THAT(
      message(x, Tensor::Zeros({4, 2}), targets, {}),
      HasSubstr("LinearCrossEntropy: x f32 [2, 3] and weight f32 [4, 2], expected [..., features] and [classes, "
                "features] of one dtype"));
  EXPECT_THAT(message(x, Tensor::Zeros({4, 3}, DType::kF64), targets, {}), HasSubstr("weight f64 [4, 3]"));
  EXPECT_THAT(message(Tensor::Scalar(1), weight, targets, {}), HasSubstr("x f32 []"));
  EXPECT_THAT(message(Tensor(), weight, targets, {}), HasSubstr("LinearCrossEntropy: x is undefined"));
  EXPECT_THAT(message(x, weight, F32({0, 1}, {2}), {}), HasSubstr("targets has dtype f32, expected i32"));
  EXPECT_THAT(message(x, weight, targets, {.soft_cap = -1}),
              HasSubstr("soft_cap -1, expected a positive finite number"));
  EXPECT_THAT(message(x, weight, targets, {.soft_cap = NAN}), HasSubstr("soft_cap nan"));
  // As a float it is 0, which would mean that there is no cap.
  EXPECT_THAT(message(x, weight, targets, {.soft_cap = 1e-50}), HasSubstr("soft_cap 1e-50, expected 1.4e-45 to"));
  EXPECT_THAT(message(x, weight, targets, {.soft_cap = 1e39}), HasSubstr("soft_cap 1e+39, expected 1.4e-45 to"));
  EXPECT_THAT(message(x, weight, targets, {.chunk_rows = -1}), HasSubstr("chunk_rows -1, expected 0 (automatic)"));
}

}  // namespace
}  // namespace twofour
