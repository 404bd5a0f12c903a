#include "twofour/core/autograd.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "twofour/core/error.h"
#include "twofour/core/ops.h"

#include "tests/support/gradient_checker.h"
#include "tests/support/tensors.h"

namespace twofour {
namespace {

using test::CheckGradients;
using test::ExpectBitEqual;
using test::F32;
using test::F64;
using test::I32;
using test::Leaf;
using test::RandomF64;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

Tensor LeafOf(const std::vector<float>& values) {
  Tensor leaf = F32(values, {static_cast<int64_t>(values.size())});
  leaf.set_requires_grad();
  return leaf;
}

TEST(BackwardTest, SquareOfOneTensor) {
  const Tensor x = LeafOf({3, -2});
  Sum(Mul(x, x)).Backward();
  ExpectBitEqual(x.grad(), F32({6, -4}, {2}));
}

TEST(BackwardTest, Diamond) {
  // y = 2x, z = y * y + 3y: dz/dx = 2 (2y + 3) = 8x + 6.
  const Tensor x = LeafOf({1, -1});
  const Tensor y = Scale(x, 2);
  Sum(Add(Mul(y, y), Scale(y, 3))).Backward();
  ExpectBitEqual(x.grad(), F32({14, -2}, {2}));
}

TEST(BackwardTest, NestedDiamondsVisitEachNodeOnce) {
  // Forty doublings make 2^40 paths from the end to x, but only forty nodes.
  const Tensor x = LeafOf({1});
  Tensor y = x;
  for (int i = 0; i < 40; ++i) y = Add(y, y);
  y.Backward();
  EXPECT_EQ(x.grad().item(), 0x1p40);
}

TEST(BackwardTest, BranchesOfUnequalLength) {
  // The short branch reaches the shared node long before the long one has its gradient ready.
  const auto function = [](const std::vector<Tensor>& in) {
    const Tensor shared = Mul(in[0], in[0]);
    Tensor branch = shared;
    for (int i = 0; i < 10; ++i) branch = Add(Scale(branch, 0.9), in[0]);
    return Add(Mul(branch, shared), Add(shared, branch));
  };
  EXPECT_TRUE(CheckGradients(function, {Leaf(RandomF64({5}, {1}))}));
}

TEST(BackwardTest, LeafInTwoBranches) {
  const Tensor x = LeafOf({2, 3}), w = LeafOf({10, 100});
  Sum(Add(Mul(x, w), Scale(x, 5))).Backward();
  ExpectBitEqual(x.grad(), F32({15, 105}, {2}));
  ExpectBitEqual(w.grad(), F32({2, 3}, {2}));
}

TEST(BackwardTest, TwoPassesAccumulate) {
  const Tensor x = LeafOf({2, 3});
  Sum(Mul(x, x)).Backward();
  Sum(Scale(x, 7)).Backward();
  ExpectBitEqual(x.grad(), F32({11, 13}, {2}));
  Tensor handle = x;
  handle.ZeroGrad();
  EXPECT_FALSE(x.grad().defined());
  Sum(Scale(x, 7)).Backward();
  ExpectBitEqual(x.grad(), F32({7, 7}, {2}));
}

TEST(BackwardTest, OnALeafItself) {
  const Tensor x = LeafOf({2, 3});
  const Tensor grad = F32({1, 10}, {2});
  x.Backward(grad);
  x.Backward(grad);
  ExpectBitEqual(x.grad(), F32({2, 20}, {2}));
  ExpectBitEqual(grad, F32({1, 10}, {2}));
}

TEST(BackwardTest, WithAnOutputGradient) {
  const Tensor x = LeafOf({2, 3});
  Mul(x, x).Backward(F32({1, 10}, {2}));
  ExpectBitEqual(x.grad(), F32({4, 60}, {2}));
}

/// An op "Mixed" of x, whose backward function returns `grad`.
Tensor Mixed(const Tensor& x, const Tensor& grad) {
  Tensor y = Tensor::Zeros({1}, x.dtype());
  autograd::Record("Mixed", {x}, y, [grad](const Tensor&) { return std::vector<Tensor>{grad}; });
  return y;
}

Tensor Half(DType dtype, double value) { return Tensor::Full({1}, value, dtype); }

TEST(BackwardTest, MastersTakeGradientsOf16BitsAndAddThemInF32) {
  // Added in 16 bits, the small numbers would be lost one by one.
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    SCOPED_TRACE(NameOf(dtype));
    const Tensor x = LeafOf({0});
    Mixed(x, Half(dtype, 0x1p-12)).Backward(F32({1}, {1}));
    ExpectBitEqual(x.grad(), F32({0x1p-12f}, {1}));
    Mixed(x, Half(dtype, 1)).Backward(F32({1}, {1}));
    Add(Mixed(x, Half(dtype, 0x1p-13)), Mixed(x, Half(dtype, 0x1p-13))).Backward(F32({1}, {1}));
    ExpectBitEqual(x.grad(), F32({1 + 0x1p-11f}, {1}));
  }
}

TEST(BackwardTest, ResultsInF32TakeGradientsOf16Bits) {
  for (const int consumers : {1, 3}) {
    const Tensor x = LeafOf({0});
    const Tensor y = Scale(x, 2);
    Tensor sum = Mixed(y, Half(DType::kBF16, 1));
    for (int i = 1; i < consumers; ++i) sum = Add(sum, Mixed(y, Half(DType::kBF16, 0x1p-10)));
    sum.Backward(F32({1}, {1}));
    ExpectBitEqual(x.grad(), F32({consumers == 1 ? 2 : 2 + 0x1p-8f}, {1}));
  }
}

TEST(BackwardTest, GradientsOf16BitsAreRoundedOnceForAllConsumers) {
  // One after the other, each of the small ones would be rounded away.
  const Tensor x = LeafOf({0});
  const Tensor y = Cast(x, DType::kBF16);
  Tensor sum = Cast(Mixed(y, Half(DType::kBF16, 1)), DType::kF32);
  for (int i = 0; i < 2; ++i) sum = Add(sum, Cast(Mixed(y, Half(DType::kBF16, 0x1p-8)), DType::kF32));
  sum.Backward(F32({1}, {1}));
  ExpectBitEqual(x.grad(), F32({1 + 0x1p-7f}, {1}));
}

TEST(MixedDTypesTest, ALeafOf16BitsRoundsOnceInEachBackward) {
  // One gradient of 1, then 1000 of 2^-10: each alone is less than half of bf16's last place at 1.
  const auto uses = [](const Tensor& x) {
    Tensor sum = Sum(Cast(x, DType::kF32));
    for (int i = 0; i < 1000; ++i) sum = Add(sum, Sum(Scale(Cast(x, DType::kF32), 0x1p-10)));
    return sum;
  };
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    const Tensor x = Half(dtype, 3).set_requires_grad();
    uses(x).Backward();
    EXPECT_EQ(x.grad().dtype(), dtype);
    ExpectBitEqual(x.grad(), F32({1 + 1000 * 0x1p-10f}, {1}).To(dtype));
    const Tensor before = x.grad().Clone();
    uses(x).Backward();
    ExpectBitEqual(x.grad(), Tensor::Full({1}, before.item() + 1 + 1000 * 0x1p-10).To(dtype));
  }
}

TEST(BackwardTest, AnOutputsGradientMayHave16Bits) {
  const Tensor x = LeafOf({2, 3});
  x.Backward(Tensor::Full({2}, 1.5, DType::kBF16));
  Scale(x, 2).Backward(Tensor::Full({2}, 1.5, DType::kF16));
  ExpectBitEqual(x.grad(), F32({4.5f, 4.5f}, {2}));
  Tensor narrow = Tensor::Zeros({2}, DType::kBF16);
  narrow.set_requires_grad();
  EXPECT_THAT([&] { narrow.Backward(F32({1, 1}, {2})); }, ThrowsMessage<Error>(HasSubstr("f32 [2]")));
}

TEST(BackwardTest, InputsThatWantNoGradientGetNone) {
  const Tensor x = LeafOf({2, 3}), constant = F32({4, 5}, {2});
  const Tensor y = Mul(Scale(constant, 2), x);
  Sum(y).Backward();
  ExpectBitEqual(x.grad(), F32({8, 10}, {2}));
  EXPECT_FALSE(constant.grad().defined());
  EXPECT_FALSE(y.grad().defined());
  EXPECT_FALSE(Scale(constant, 2).requires_grad());
}

TEST(BackwardTest, AnOpMayWithholdAGradient) {
  // An undefined gradient means none, also for everything behind the input.
  const Tensor a = LeafOf({1}), b = LeafOf({1});
  const Tensor ax = Scale(a, 2), bx = Scale(b, 2);
  Tensor y = Tensor::Full({1}, 0);
  autograd::Record("Half", {ax, bx}, y, [](const Tensor& dy) { return std::vector<Tensor>{Tensor(), dy}; });
  y.Backward();
  EXPECT_FALSE(a.grad().defined());
  EXPECT_EQ(b.grad().item(), 2);
}

TEST(BackwardTest, RecordsNoGraphOfItself) {
  const Tensor x = LeafOf({2, 3});
  Mul(x, x).Backward(F32({1, 1}, {2}));
  EXPECT_FALSE(x.grad().requires_grad());
  // A gradient that comes with a graph does not bring it along either.
  Tensor seed = LeafOf({1, 1});
  x.Backward(Scale(seed, 2));
  EXPECT_FALSE(x.grad().requires_grad());
  const Tensor y = LeafOf({2, 3});
  y.Backward(Scale(seed, 2));
  EXPECT_FALSE(y.grad().requires_grad());
  EXPECT_TRUE(GradEnabled());
}

TEST(BackwardTest, BackwardFunctionsMayCallOps) {
  const Tensor x = LeafOf({2, 3});
  Tensor y = Tensor::Zeros({2});
  autograd::Record("ViaOps", {x}, y, [x](const Tensor& dy) {
    EXPECT_FALSE(GradEnabled());
    return std::vector<Tensor>{Mul(x, dy)};
  });
  Sum(y).Backward();
  ExpectBitEqual(x.grad(), F32({2, 3}, {2}));
  EXPECT_FALSE(x.grad().requires_grad());
}

TEST(BackwardTest, Errors) {
  const Tensor x = LeafOf({2, 3});
  const Tensor y = Mul(x, x);
  EXPECT_THAT([&] { y.Backward(); }, ThrowsMessage<Error>(AllOf(HasSubstr("Backward"), HasSubstr("[2]"))));
  EXPECT_THAT([&] { y.Backward(F32({1}, {1})); },
              ThrowsMessage<Error>(AllOf(HasSubstr("Backward"), HasSubstr("[1]"), HasSubstr("[2]"))));
  EXPECT_THAT(
      [&] {
        y.Backward(F64({1, 1}, {2}));
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("Backward"), HasSubstr("f64"), HasSubstr("f32"))));
  EXPECT_THAT([&] { y.Backward(Tensor()); },
              ThrowsMessage<Error>(AllOf(HasSubstr("Backward"), HasSubstr("undefined"))));
  EXPECT_THAT([&] { F32({1}, {1}).Backward(); }, ThrowsMessage<Error>(HasSubstr("requires a gradient")));
  EXPECT_FALSE(x.grad().defined());
  y.Backward(F32({1, 1}, {2}));  // No failure used up the graph.
}

TEST(BackwardTest, TwiceOnOneGraphIsAnError) {
  const Tensor x = LeafOf({2});
  const Tensor y = Mul(x, x);
  const Tensor first = Scale(y, 2), second = Add(y, y);
  first.Backward();
  EXPECT_THAT([&] { first.Backward(); }, ThrowsMessage<Error>(HasSubstr("freed by an earlier Backward (at ")));
  EXPECT_THAT([&] { second.Backward(); }, ThrowsMessage<Error>(HasSubstr("(at Mul)")));
  EXPECT_EQ(x.grad().item(), 8);  // The refused passes added nothing.
}

TEST(BackwardTest, WriteToASavedTensorIsAnError) {
  Tensor x = LeafOf({2, 3});
  Tensor loss = Sum(Mul(x, x));
  x.mutable_data<float>()[0] = 5;
  EXPECT_THAT([&] { loss.Backward(); },
              ThrowsMessage<Error>(AllOf(HasSubstr("[2]"), HasSubstr("written to in place after the forward pass"))));
  // A write through a view of the same elements counts, too.
  loss = Sum(Relu(x));
  x.View({1, 2}).mutable_data<float>();
  EXPECT_THROW(loss.Backward(), Error);
  // An output that the backward pass needs counts as well.
  Tensor y = Softmax(x);
  y.mutable_data<float>()[0] = 0;
  EXPECT_THROW(y.Backward(F32({1, 1}, {2})), Error);
}

TEST(BackwardTest, WriteToATensorThatNobodySavedIsFine) {
  Tensor x = LeafOf({2, 3});
  const Tensor loss = Sum(Scale(x, 3));
  x.Fill(0);
  loss.Backward();
  ExpectBitEqual(x.grad(), F32({3, 3}, {2}));
}

TEST(BackwardTest, SetRequiresGradOnAResultIsAnError) {
  Tensor y = Scale(LeafOf({1}), 2);
  EXPECT_THAT([&] { y.set_requires_grad(false); }, ThrowsMessage<Error>(HasSubstr("only a leaf")));
}

TEST(BackwardTest, OpsThatCopyNothingPassGradientsOn) {
  const Tensor x = LeafOf({1, 2, 3, 4});
  Mul(Reshape(x, {2, 2}), F32({1, 10, 100, 1000}, {2, 2})).Backward(Tensor::Full({2, 2}, 1));
  ExpectBitEqual(x.grad(), F32({1, 10, 100, 1000}, {4}));
}

TEST(NoGradGuardTest, OpsRecordNothing) {
  const Tensor x = LeafOf({2});
  {
    const NoGradGuard outer;
    {
      const NoGradGuard inner;
      EXPECT_FALSE(GradEnabled());
    }
    EXPECT_FALSE(GradEnabled());
    EXPECT_FALSE(Mul(x, x).requires_grad());
    EXPECT_TRUE(x.requires_grad());
    std::thread([&] { EXPECT_TRUE(Mul(x, x).requires_grad()); }).join();  // A guard is for its thread only.
  }
  EXPECT_TRUE(GradEnabled());
  EXPECT_TRUE(Mul(x, x).requires_grad());
}

TEST(GradientAliasingTest, AddGivesBothLeavesTheirOwn) {
  Tensor a = LeafOf({1, 2}), b = LeafOf({3, 4});
  const Tensor seed = F32({1, 10}, {2});
  Add(a, b).Backward(seed);
  EXPECT_FALSE(a.grad().IsSameStorage(b.grad()));
  EXPECT_FALSE(a.grad().IsSameStorage(seed));
  EXPECT_FALSE(b.grad().IsSameStorage(seed));
  Add(a, b).Backward(seed);
  ExpectBitEqual(a.grad(), F32({2, 20}, {2}));
  ExpectBitEqual(b.grad(), F32({2, 20}, {2}));
  ExpectBitEqual(seed, F32({1, 10}, {2}));
}

TEST(GradientAliasingTest, AddOfATensorToItself) {
  const Tensor a = LeafOf({1, 2});
  const Tensor seed = F32({1, 10}, {2});
  Add(a, a).Backward(seed);
  ExpectBitEqual(a.grad(), F32({2, 20}, {2}));
  ExpectBitEqual(seed, F32({1, 10}, {2}));
}

TEST(GradientAliasingTest, ViewsOfTheSeedAreCopied) {
  const Tensor a = LeafOf({1, 2}), b = LeafOf({1, 2});
  const Tensor seed = F32({1, 10}, {2, 1});
  Add(Reshape(a, {2, 1}), Reshape(b, {2, 1})).Backward(seed);
  EXPECT_FALSE(a.grad().IsSameStorage(seed));
  EXPECT_FALSE(a.grad().IsSameStorage(b.grad()));
  Sum(a).Backward();
  ExpectBitEqual(a.grad(), F32({2, 11}, {2}));
  ExpectBitEqual(b.grad(), F32({1, 10}, {2}));
  ExpectBitEqual(seed, F32({1, 10}, {2, 1}));
}

TEST(GradientAliasingTest, InnerAddsDoNotWriteToWhatTheyShare) {
  // dy goes to both inputs of both Adds. The sums for `s` must not be made inside a shared buffer.
  const auto function = [](const std::vector<Tensor>& in) {
    const Tensor s = Add(in[0], in[1]);
    const Tensor t = Add(s, in[0]);
    return Add(Add(t, s), Add(s, in[1]));
  };
  EXPECT_TRUE(CheckGradients(function, {Leaf(RandomF64({4}, {1})), Leaf(RandomF64({4}, {2}))}));
}

TEST(GradientAliasingTest, AGradientSomebodyHoldsIsNotWrittenTo) {
  const Tensor x = LeafOf({1, 2});
  Sum(x).Backward();
  const Tensor held = x.grad();
  Sum(x).Backward();
  ExpectBitEqual(held, F32({1, 1}, {2}));
  ExpectBitEqual(x.grad(), F32({2, 2}, {2}));

  Tensor y = LeafOf({1, 2});
  const Tensor given = F32({5, 5}, {2});
  y.set_grad(given);
  Sum(y).Backward();
  ExpectBitEqual(given, F32({5, 5}, {2}));
  ExpectBitEqual(y.grad(), F32({6, 6}, {2}));
}

TEST(GradientAliasingTest, AnOpMayReturnWhatItKeeps) {
  const Tensor kept = F32({1, 2}, {2});
  const Tensor x = LeafOf({0, 0});
  for (int round = 0; round < 2; ++round) {
    Tensor y = Tensor::Zeros({2});
    autograd::Record("Fixed", {x, x}, y, [kept](const Tensor&) { return std::vector<Tensor>{kept, kept}; });
    Sum(y).Backward();
  }
  ExpectBitEqual(x.grad(), F32({4, 8}, {2}));
  ExpectBitEqual(kept, F32({1, 2}, {2}));
}

}  // namespace
}  // namespace twofour
