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

}  // namespace
}  // namespace twofour
