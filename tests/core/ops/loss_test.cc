#include "twofour/core/ops/loss.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "twofour/core/error.h"

#include "tests/support/gradient_checker.h"
#include "tests/support/tensors.h"

namespace twofour {
namespace {

using test::CheckGradients;
using test::ExpectBitEqual;
using test::ExpectClose;
using test::F32;
using test::F64;
using test::I32;
using test::Leaf;
using test::RandomF32;
using test::RandomF64;
using test::RandomIndices;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

Tensor CrossEntropyOf(const std::vector<Tensor>& in) { return CrossEntropyLoss(in[0], in[1]); }
Tensor MseOf(const std::vector<Tensor>& in) { return MseLoss(in[0], in[1]); }

TEST(CrossEntropyLossTest, KnownValues) {
  // The probabilities are 1/4, 3/4 and 1/2, 1/2.
  const Tensor logits = F64({0, std::log(3.0), 5, 5}, {2, 2});
  EXPECT_NEAR(CrossEntropyLoss(logits, I32({0, 1}, {2})).item(), (std::log(4.0) + std::log(2.0)) / 2, 1e-15);
  EXPECT_NEAR(CrossEntropyLoss(logits, I32({1, 0}, {2})).item(), (std::log(4.0 / 3) + std::log(2.0)) / 2, 1e-15);
}

TEST(CrossEntropyLossTest, EqualLogitsGiveLogOfClasses) {
  EXPECT_NEAR(CrossEntropyLoss(Tensor::Full({3, 10}, -4.5), I32({0, 9, 5}, {3})).item(), std::log(10.0), 1e-6);
}

TEST(CrossEntropyLossTest, Gradients) {
  for (const Shape& shape : {Shape{1, 1}, Shape{1, 7}, Shape{5, 1}, Shape{11, 3}, Shape{0, 4}}) {
    SCOPED_TRACE(ToString(shape));
    const Tensor targets = RandomIndices({shape[0]}, static_cast<uint32_t>(shape[1]), {2});
    EXPECT_TRUE(CheckGradients(CrossEntropyOf, {Leaf(RandomF64(shape, {1}, -3, 3)), targets}));
  }
  EXPECT_TRUE(CheckGradients(CrossEntropyOf, {Leaf(RandomF64({401, 101}, {1}, -3, 3)), RandomIndices({401}, 101, {2})},
                             {.max_varied = 5}));
}

TEST(CrossEntropyLossTest, GradientsWithIgnoredRows) {
  const Tensor logits = Leaf(RandomF64({5, 3}, {1}));
  EXPECT_TRUE(CheckGradients(CrossEntropyOf, {logits, I32({0, -100, 2, -100, 1}, {5})}));
  EXPECT_TRUE(CheckGradients(CrossEntropyOf, {logits, I32({-100, -100, -100, -100, -100}, {5})}));
  // A class may be the ignored label.
  EXPECT_TRUE(CheckGradients([](const auto& in) { return CrossEntropyLoss(in[0], in[1], 1); },
                             {logits, I32({0, 1, 2, 1, 1}, {5})}));
}

TEST(CrossEntropyLossTest, IgnoredRowsDoNotCount) {
  const Tensor all = RandomF64({3, 4}, {1});
  const Tensor first = F64({all.data<double>(), all.data<double>() + 4}, {1, 4});
  const double expected = CrossEntropyLoss(first, I32({2}, {1})).item();
  EXPECT_DOUBLE_EQ(CrossEntropyLoss(all, I32({2, kIgnoreIndex, kIgnoreIndex}, {3})).item(), expected);
  EXPECT_DOUBLE_EQ(CrossEntropyLoss(all, I32({2, 3, 3}, {3}), 3).item(), expected);
}

/// The definition in plain loops.
double WeightedLoss(const Tensor& logits, const std::vector<int32_t>& targets, const std::vector<double>& weights,
                    double smoothing) {
  double sum = 0, weight = 0;
  const int64_t classes = logits.cols();
  for (int64_t r = 0; r < logits.rows(); ++r) {
    const double* row = logits.data<double>() + r * classes;
    double total = 0;
    for (int64_t c = 0; c < classes; ++c) total += std::exp(row[c]);
    const auto minus_log = [&](int64_t c) { return std::log(total) - row[c]; };
    const int32_t target = targets[static_cast<size_t>(r)];
    if (target == kIgnoreIndex) continue;
    weight += weights[static_cast<size_t>(target)];
    sum += (1 - smoothing) * weights[static_cast<size_t>(target)] * minus_log(target);
    for (int64_t c = 0; c < classes; ++c) {
      sum += smoothing / static_cast<double>(classes) * weights[static_cast<size_t>(c)] * minus_log(c);
    }
  }
  return sum / weight;
}

TEST(CrossEntropyLossTest, SmoothedAndWeighted) {
  const Tensor logits = Leaf(RandomF64({6, 4}, {1}, -3, 3));
  const std::vector<int32_t> targets = {0, 3, kIgnoreIndex, 1, 1, 2};
  for (const double smoothing : {0.0, 0.1, 0.9}) {
    for (const std::vector<double>& weights :
         {std::vector<double>{1, 1, 1, 1}, std::vector<double>{0.5, 2, 0, 7}, std::vector<double>{3, 3, 3, 3}}) {
      const CrossEntropyOptions options{.label_smoothing = smoothing, .class_weights = F64(weights, {4})};
      const auto loss = [&](const std::vector<Tensor>& in) { return CrossEntropyLoss(in[0], in[1], options); };
      EXPECT_NEAR(loss({logits, I32(targets, {6})}).item(), WeightedLoss(logits, targets, weights, smoothing), 1e-12);
      EXPECT_TRUE(CheckGradients(loss, {logits, I32(targets, {6})}));
    }
  }
}

TEST(CrossEntropyLossTest, PlainOptionsGiveThePlainBits) {
  const Tensor logits = RandomF32({50, 10}, {1});
  const Tensor targets = RandomIndices({50}, 10, {2});
  EXPECT_EQ(CrossEntropyLoss(logits, targets, CrossEntropyOptions{}).item(), CrossEntropyLoss(logits, targets).item());
  const CrossEntropyOptions ones{.class_weights = F32(std::vector<float>(10, 1.0F), {10})};
  EXPECT_NEAR(CrossEntropyLoss(logits, targets, ones).item(), CrossEntropyLoss(logits, targets).item(), 1e-6);
}

/// Values of PyTorch 1.13: F.cross_entropy(x, y, weight=w, label_smoothing=0.1).
TEST(CrossEntropyLossTest, EqualsPyTorch) {
  const Tensor logits = F64({0.5, -1, 2, 1, 1, -0.5}, {2, 3});
  const CrossEntropyOptions options{.label_smoothing = 0.1, .class_weights = F64({1, 2, 0.5}, {3})};
  EXPECT_NEAR(CrossEntropyLoss(logits, I32({2, 1}, {2}), options).item(), 0.7771996356209453, 1e-12);
}

TEST(CrossEntropyLossTest, RowsOfNoWeightGiveZero) {
  Tensor logits = RandomF32({2, 3}, {1});
  logits.set_requires_grad();
  const Tensor loss = CrossEntropyLoss(logits, I32({1, 1}, {2}), {.class_weights = F32({1, 0, 1}, {3})});
  EXPECT_EQ(loss.item(), 0.0);
  loss.Backward();
  ExpectBitEqual(logits.grad(), Tensor::Zeros({2, 3}));
}

TEST(CrossEntropyLossTest, RefusesWeightsThatDoNotFit) {
  const auto loss = [](const CrossEntropyOptions& options) {
    return [options] { CrossEntropyLoss(Tensor::Zeros({2, 3}), I32({0, 1}, {2}), options); };
  };
  for (const double smoothing : {-0.1, 1.0, std::nan("")}) {
    EXPECT_THAT(loss({.label_smoothing = smoothing}), ThrowsMessage<Error>(HasSubstr("expected 0 to 1, 1 excluded")));
  }
  EXPECT_THAT(loss({.class_weights = F32({1, 1}, {2})}),
              ThrowsMessage<Error>(HasSubstr("class_weights [2], expected [3]")));
  EXPECT_THAT(loss({.class_weights = F32({1, -1, 1}, {3})}), ThrowsMessage<Error>(HasSubstr("a class weight of -1")));
  EXPECT_THAT(loss({.class_weights = I32({1, 1, 1}, {3})}),
              ThrowsMessage<Error>(HasSubstr("class_weights has dtype i32, expected")));
}

TEST(CrossEntropyLossTest, AllIgnoredIsZero) {
  Tensor logits = RandomF32({2, 3}, {1});
  logits.set_requires_grad();
  const Tensor loss = CrossEntropyLoss(logits, I32({-100, -100}, {2}));
  EXPECT_EQ(loss.item(), 0.0);
  loss.Backward();
  ExpectBitEqual(logits.grad(), Tensor::Zeros({2, 3}));
  EXPECT_EQ(CrossEntropyLoss(Tensor::Empty({0, 3}), I32({}, {0})).item(), 0.0);
}

TEST(CrossEntropyLossTest, IgnoredRowsGetNoGradientWhateverTheyHold) {
  // Padding may hold anything, and 0 * NaN is NaN.
  constexpr float kInf = std::numeric_limits<float>::infinity();
  Tensor logits = F32({0, 0, NAN, 1, kInf, 0}, {3, 2});
  logits.set_requires_grad();
  const Tensor loss = CrossEntropyLoss(logits, I32({0, -100, -100}, {3}));
  EXPECT_NEAR(loss.item(), std::log(2.0), 1e-6);
  loss.Backward();
  ExpectClose(logits.grad(), F32({-0.5, 0.5, 0, 0, 0, 0}, {3, 2}));
}

TEST(CrossEntropyLossTest, GradientOfARowSumsToZero) {
  Tensor logits = RandomF64({4, 9}, {1}, -5, 5);
  logits.set_requires_grad();
  CrossEntropyLoss(logits, I32({0, 8, 3, 3}, {4})).Backward();
  for (int r = 0; r < 4; ++r) {
    double sum = 0;
    for (int c = 0; c < 9; ++c) sum += logits.grad().data<double>()[r * 9 + c];
    EXPECT_NEAR(sum, 0.0, 1e-15);
  }
}

TEST(CrossEntropyLossTest, Errors) {
  const Tensor logits = Tensor::Zeros({2, 3});
  EXPECT_THAT(
      [&] {
        CrossEntropyLoss(logits, I32({0, 3}, {2}));
      },
      ThrowsMessage<Error>(HasSubstr("CrossEntropyLoss: target 3 at row 1 is outside [0, 3)")));
  EXPECT_THAT(
      [&] {
        CrossEntropyLoss(logits, I32({-1, 0}, {2}));
      },
      ThrowsMessage<Error>(HasSubstr("target -1 at row 0")));
  EXPECT_THAT(
      [&] {
        CrossEntropyLoss(logits, I32({0, -100}, {2}), -1);
      },
      ThrowsMessage<Error>(HasSubstr("target -100 at row 1")));
  EXPECT_THAT([&] { CrossEntropyLoss(logits, I32({0}, {1})); },
              ThrowsMessage<Error>(AllOf(HasSubstr("CrossEntropyLoss"), HasSubstr("[2, 3]"), HasSubstr("[1]"),
                                         HasSubstr("expected [batch, classes] and [batch]"))));
  EXPECT_THAT([&] { CrossEntropyLoss(Tensor::Zeros({3}), I32({0}, {1})); }, ThrowsMessage<Error>(HasSubstr("[3]")));
  EXPECT_THAT(
      [&] {
        CrossEntropyLoss(logits, F32({0, 1}, {2}));
      },
      ThrowsMessage<Error>(HasSubstr("CrossEntropyLoss: targets has dtype f32, expected i32")));
  EXPECT_THAT([&] { CrossEntropyLoss(Tensor(), I32({0}, {1})); },
              ThrowsMessage<Error>(HasSubstr("CrossEntropyLoss: logits is undefined")));
}

TEST(MseLossTest, KnownValues) {
  EXPECT_EQ(MseLoss(F32({1, 2, 3, 4}, {2, 2}), F32({1, 0, 6, 4}, {2, 2})).item(), 13.0 / 4);
  EXPECT_EQ(MseLoss(Tensor::Empty({0, 2}), Tensor::Empty({0, 2})).item(), 0.0);
}

TEST(MseLossTest, Gradients) {
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{7}, Shape{3, 5}, Shape{2, 3, 4}, Shape{0, 3}}) {
    SCOPED_TRACE(ToString(shape));
    const Tensor prediction = RandomF64(shape, {1}), target = RandomF64(shape, {2});
    EXPECT_TRUE(CheckGradients(MseOf, {Leaf(prediction), Leaf(target)}));
    EXPECT_TRUE(CheckGradients(MseOf, {Leaf(prediction), target}));
    EXPECT_TRUE(CheckGradients(MseOf, {prediction, Leaf(target)}));
    EXPECT_TRUE(CheckGradients([](const auto& in) { return MseLoss(in[0], in[0]); }, {Leaf(prediction)}));
  }
  EXPECT_TRUE(
      CheckGradients(MseOf, {Leaf(RandomF64({331, 101}, {1})), Leaf(RandomF64({331, 101}, {2}))}, {.max_varied = 3}));
}

TEST(MseLossTest, Errors) {
  const Tensor x = Tensor::Zeros({2, 3});
  EXPECT_THAT([&] { MseLoss(x, Tensor::Zeros({2})); },
              ThrowsMessage<Error>(HasSubstr("MseLoss: target has shape [2], expected [2, 3]")));
  EXPECT_THAT(
      [&] {
        MseLoss(x, Tensor::Zeros({2, 3}, DType::kF64));
      },
      ThrowsMessage<Error>(HasSubstr("MseLoss: target has dtype f64, expected f32")));
  EXPECT_THAT([&] { MseLoss(Tensor(), x); }, ThrowsMessage<Error>(HasSubstr("MseLoss: prediction is undefined")));
}

TEST(HuberLossTest, KnownValues) {
  // PyTorch's huber_loss: errors 0.5, -1, 3 and -4, with deltas of 1 and 2.
  const Tensor prediction = F32({0.5, 1, 5, 0}, {4}), target = F32({0, 2, 2, 4}, {4});
  EXPECT_NEAR(HuberLoss(prediction, target).item(), (0.125 + 0.5 + 2.5 + 3.5) / 4, 1e-7);
  EXPECT_NEAR(HuberLoss(prediction, target, 2).item(), (0.125 + 0.5 + 4 + 6) / 4, 1e-7);
  EXPECT_EQ(HuberLoss(Tensor::Empty({0, 2}), Tensor::Empty({0, 2})).item(), 0.0);
  // Far beyond all errors it is half of the squared error.
  EXPECT_NEAR(HuberLoss(prediction, target, 100).item(), MseLoss(prediction, target).item() / 2, 1e-6);
}

TEST(HuberLossTest, Gradients) {
  // Errors lie on both sides of delta, and none is so near that finite differences would cross it.
  const auto huber = [](const std::vector<Tensor>& in) { return HuberLoss(in[0], in[1], 0.75); };
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{7}, Shape{3, 5}, Shape{2, 3, 4}, Shape{0, 3}}) {
    SCOPED_TRACE(ToString(shape));
    const Tensor prediction = RandomF64(shape, {1}, -2, 2), target = RandomF64(shape, {2}, -2, 2);
    EXPECT_TRUE(CheckGradients(huber, {Leaf(prediction), Leaf(target)}));
    EXPECT_TRUE(CheckGradients(huber, {Leaf(prediction), target}));
    EXPECT_TRUE(CheckGradients(huber, {prediction, Leaf(target)}));
  }
}

TEST(HuberLossTest, Errors) {
  const Tensor x = Tensor::Zeros({2, 3});
  EXPECT_THAT([&] { HuberLoss(x, x, 0); },
              ThrowsMessage<Error>(HasSubstr("HuberLoss: delta 0, expected a finite number above 0")));
  EXPECT_THAT([&] { HuberLoss(x, x, std::nan("")); }, ThrowsMessage<Error>(HasSubstr("delta nan")));
  EXPECT_THAT([&] { HuberLoss(x, Tensor::Zeros({2})); },
              ThrowsMessage<Error>(HasSubstr("HuberLoss: target has shape [2], expected [2, 3]")));
  EXPECT_THAT([&] { HuberLoss(Tensor(), x); }, ThrowsMessage<Error>(HasSubstr("HuberLoss: prediction is undefined")));
}

}  // namespace
}  // namespace twofour
