// Ops that users write: what autograd::Record and the backward functions given to it may do, and what is an Error.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/ops.h"

#include "tests/support/tensors.h"

namespace twofour {
namespace {

using test::ExpectBitEqual;
using test::F32;
using test::F64;
using test::I32;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

Tensor LeafOf(const std::vector<float>& values) {
  Tensor leaf = F32(values, {static_cast<int64_t>(values.size())});
  leaf.set_requires_grad();
  return leaf;
}

/// The result of an op "Mine" of x and w, both [3], whose backward function returns `grads`.
Tensor MyOp(const Tensor& x, const Tensor& w, std::vector<Tensor> grads) {
  Tensor y = Tensor::Zeros({3});
  autograd::Record("Mine", {x, w}, y, [grads = std::move(grads)](const Tensor&) { return grads; });
  return y;
}

class RecordTest : public ::testing::Test {
 protected:
  /// Expects that Backward throws an Error, for an op on leaves and for one on results, and adds nothing to a leaf.
  template <typename Matcher>
  void ExpectRefused(const std::vector<Tensor>& grads, const Matcher& message) {
    EXPECT_THAT([&] { Sum(MyOp(x_, w_, grads)).Backward(); }, ThrowsMessage<Error>(message));
    EXPECT_THAT([&] { Sum(MyOp(Scale(x_, 2), Scale(w_, 2), grads)).Backward(); }, ThrowsMessage<Error>(message));
    EXPECT_FALSE(x_.grad().defined());
    EXPECT_FALSE(w_.grad().defined());
    EXPECT_TRUE(GradEnabled());
  }

  Tensor x_ = LeafOf({1, 2, 3}), w_ = LeafOf({4, 5, 6});
  const Tensor ones_ = F32({1, 1, 1}, {3});
};

TEST_F(RecordTest, TooFewOrTooManyGradientsAreAnError) {
  ExpectRefused({}, AllOf(HasSubstr("Mine returned 0 gradients"), HasSubstr("expected 2")));
  ExpectRefused({ones_}, AllOf(HasSubstr("Mine returned 1 gradient,"), HasSubstr("expected 2")));
  ExpectRefused({ones_, ones_, ones_}, AllOf(HasSubstr("Mine returned 3 gradients"), HasSubstr("expected 2")));
  ExpectRefused({ones_, ones_, Tensor()}, HasSubstr("Mine returned 3 gradients"));
}

TEST_F(RecordTest, AGradientOfAnotherShapeIsAnErrorThatNamesOpInputAndShapes) {
  ExpectRefused({ones_, F32({1, 1}, {2})},
                AllOf(HasSubstr("Mine"), HasSubstr("input 1"), HasSubstr("f32 [2]"), HasSubstr("expected f32 [3]")));
  ExpectRefused({F32({1, 1, 1, 1}, {4}), ones_}, AllOf(HasSubstr("input 0"), HasSubstr("f32 [4]")));
  // The same number of elements, or elements that could be repeated, are not enough.
  ExpectRefused({ones_, F32({1, 1, 1}, {3, 1})}, AllOf(HasSubstr("input 1"), HasSubstr("[3, 1]")));
  ExpectRefused({ones_, F32({1}, {1})}, AllOf(HasSubstr("input 1"), HasSubstr("[1]")));
  ExpectRefused({ones_, Tensor::Scalar(1)}, AllOf(HasSubstr("input 1"), HasSubstr("f32 []")));
  ExpectRefused({ones_, F32({}, {0})}, AllOf(HasSubstr("input 1"), HasSubstr("f32 [0]")));
}

TEST_F(RecordTest, AGradientOfAnotherDTypeIsAnError) {
  ExpectRefused({ones_, F64({1, 1, 1}, {3})},
                AllOf(HasSubstr("Mine"), HasSubstr("input 1"), HasSubstr("f64 [3]"), HasSubstr("expected f32 [3]")));
  ExpectRefused({I32({1, 1, 1}, {3}), ones_}, AllOf(HasSubstr("input 0"), HasSubstr("i32 [3]")));
}

TEST_F(RecordTest, WhatIsGivenForAnInputThatNeedsNoGradientIsIgnored) {
  const Tensor constant = F32({1, 1, 1}, {3});
  Sum(MyOp(x_, constant, {ones_, F64({1}, {1})})).Backward();
  Sum(MyOp(x_, constant, {ones_, Tensor()})).Backward();
  ExpectBitEqual(x_.grad(), F32({2, 2, 2}, {3}));
  EXPECT_FALSE(constant.grad().defined());
}

TEST_F(RecordTest, UndefinedStandsForZeroWhereAGradientIsNeeded) {
  Sum(Add(MyOp(x_, w_, {Tensor(), ones_}), x_)).Backward();
  ExpectBitEqual(x_.grad(), F32({1, 1, 1}, {3}));
  ExpectBitEqual(w_.grad(), F32({1, 1, 1}, {3}));
}

TEST_F(RecordTest, NotANumberIsPassedOn) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  Sum(MyOp(x_, w_, {F32({1, nan, 1}, {3}), ones_})).Backward();
  EXPECT_TRUE(std::isnan(x_.grad().ToVector()[1]));
}

TEST_F(RecordTest, TheOutputsGradientMayBeReturnedForEveryInput) {
  const Tensor seed = F32({1, 2, 3}, {3});
  Tensor y = Tensor::Zeros({3});
  autograd::Record("Mine", {x_, w_}, y, [](const Tensor& dy) { return std::vector<Tensor>{dy, dy}; });
  y.Backward(seed);
  EXPECT_FALSE(x_.grad().IsSameStorage(seed));
  EXPECT_FALSE(x_.grad().IsSameStorage(w_.grad()));
  Sum(x_).Backward();
  ExpectBitEqual(x_.grad(), F32({2, 3, 4}, {3}));
  ExpectBitEqual(w_.grad(), seed);
  ExpectBitEqual(seed, F32({1, 2, 3}, {3}));
}

TEST_F(RecordTest, AGradientThatHasAGraphLeavesItBehind) {
  Tensor y = Tensor::Zeros({3});
  autograd::Record("Mine", {x_}, y, [w = Scale(w_, 2)](const Tensor&) mutable {
    return std::vector<Tensor>{std::move(w)};  // The only handle, so its buffer would become the gradient.
  });
  y.Backward(ones_);
  EXPECT_FALSE(x_.grad().requires_grad());
  ExpectBitEqual(x_.grad(), F32({8, 10, 12}, {3}));
}

TEST_F(RecordTest, AnExceptionPassesThroughAndLeavesAUsedGraph) {
  Tensor y = Tensor::Zeros({3});
  bool throws = true;
  autograd::Record("Mine", {x_}, y, [&throws](const Tensor& dy) {
    if (throws) throw std::runtime_error("out of luck");
    return std::vector<Tensor>{dy};
  });
  const Tensor loss = Sum(y), scaled = Scale(y, 2);
  EXPECT_THAT([&] { loss.Backward(); }, ThrowsMessage<std::runtime_error>(HasSubstr("out of luck")));
  EXPECT_TRUE(GradEnabled());
  EXPECT_FALSE(x_.grad().defined());
  throws = false;
  EXPECT_THAT([&] { loss.Backward(); }, ThrowsMessage<Error>(HasSubstr("freed by an earlier Backward")));
  EXPECT_THAT([&] { scaled.Backward(ones_); }, ThrowsMessage<Error>(HasSubstr("(at Mine)")));
  Sum(Mul(x_, w_)).Backward();  // A new graph is not affected.
  ExpectBitEqual(x_.grad(), w_.Detach());
}

TEST_F(RecordTest, AnExceptionFreesWhatTheRestOfTheGraphSaved) {
  const Tensor kept = F32({1, 1, 1}, {3});
  std::weak_ptr<Tensor::Impl> saved;
  Tensor below = Tensor::Zeros({3}), y = Tensor::Zeros({3});
  {
    const Tensor only = Tensor::Full({3}, 7);
    saved = only.impl();
    autograd::Record("Below", {x_}, below, [only](const Tensor&) { return std::vector<Tensor>{only}; });
  }
  autograd::Record("Mine", {below}, y, [](const Tensor&) -> std::vector<Tensor> { throw Error("no"); });
  EXPECT_FALSE(saved.expired());
  EXPECT_THROW(y.Backward(kept), Error);
  EXPECT_TRUE(saved.expired());
}

TEST_F(RecordTest, ABackwardFunctionThatComesBackToItsOwnGraphIsAnError) {
  Tensor y = Tensor::Zeros({3});
  Tensor handle;
  autograd::Record("Mine", {x_}, y, [&](const Tensor& dy) {
    handle.Backward(dy);
    return std::vector<Tensor>{dy};
  });
  handle = y;
  EXPECT_THAT([&] { y.Backward(ones_); }, ThrowsMessage<Error>(HasSubstr("freed by an earlier Backward")));
}

TEST_F(RecordTest, AnOutputThatIsAnInputIsAnError) {
  const autograd::BackwardFunction pass_on = [](const Tensor& dy) { return std::vector<Tensor>{dy, dy}; };
  EXPECT_THAT(
      [&] {
        autograd::Record("Mine", {w_, x_}, x_, pass_on);
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("output of Mine"), HasSubstr("input 1"))));
  Tensor y = Scale(x_, 2);
  EXPECT_THROW(autograd::Record("Mine", {y, w_}, y, pass_on), Error);
  // The refusal changed nothing.
  Sum(y).Backward();
  ExpectBitEqual(x_.grad(), F32({2, 2, 2}, {3}));
}

TEST_F(RecordTest, AnOutputThatIsALeafOrNotFloatingOrUndefinedIsAnError) {
  const autograd::BackwardFunction pass_on = [](const Tensor& dy) { return std::vector<Tensor>{dy}; };
  EXPECT_THAT([&] { autograd::Record("Mine", {w_}, x_, pass_on); },
              ThrowsMessage<Error>(AllOf(HasSubstr("Mine"), HasSubstr("leaf that requires a gradient"))));
  Tensor indices = I32({1}, {1}), nothing;
  EXPECT_THAT([&] { autograd::Record("Mine", {w_}, indices, pass_on); },
              ThrowsMessage<Error>(AllOf(HasSubstr("Mine"), HasSubstr("i32"))));
  EXPECT_THAT([&] { autograd::Record("Mine", {w_}, nothing, pass_on); },
              ThrowsMessage<Error>(AllOf(HasSubstr("Mine"), HasSubstr("undefined"))));
  Tensor y = Tensor::Zeros({3});
  EXPECT_THAT([&] { autograd::Record("Mine", {w_}, y, nullptr); },
              ThrowsMessage<Error>(AllOf(HasSubstr("Mine"), HasSubstr("no backward function"))));
}

TEST_F(RecordTest, AnOpWithoutInputsHasNoGraph) {
  Tensor y = Tensor::Zeros({3});
  autograd::Record("Mine", {}, y, [](const Tensor&) { return std::vector<Tensor>(); });
  EXPECT_FALSE(y.requires_grad());
  EXPECT_THAT([&] { Sum(y).Backward(); }, ThrowsMessage<Error>(HasSubstr("requires a gradient")));
}

TEST_F(RecordTest, TheNameMayBeMadeAtRunTime) {
  Tensor y = Tensor::Zeros({3});
  {
    std::string name = "an op whose name is too long to be stored in place, number ";
    name += std::to_string(y.numel());
    autograd::Record(name, {x_}, y, [](const Tensor&) { return std::vector<Tensor>(); });
    name.assign(name.size(), '?');
  }
  EXPECT_THAT([&] { y.Backward(ones_); }, ThrowsMessage<Error>(HasSubstr("in place, number 3 returned 0 gradients")));
}

}  // namespace
}  // namespace twofour
