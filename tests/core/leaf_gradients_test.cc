#include "twofour/core/leaf_gradients.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "twofour/core/ops/arithmetic.h"
#include "twofour/core/ops/reduction.h"

namespace twofour {
namespace {

using autograd::LeafGradientScope;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

Tensor Leaf(std::vector<float> values) {
  const auto size = static_cast<int64_t>(values.size());
  return Tensor::FromVector(values, {size}).set_requires_grad();
}

TEST(LeafGradientScopeTest, TellsOfEachLeafOnceWhenItsGradientIsComplete) {
  const Tensor first = Leaf({1, 2}), shared = Leaf({3, 4}), last = Leaf({5, 6});
  // `shared` is used by the first and by the last op, so it is complete only when the first one has run.
  const Tensor loss = Sum(Mul(Mul(Mul(first, shared), last), shared));
  std::vector<std::string> order;
  std::map<std::string, std::vector<float>> gradients;
  {
    const LeafGradientScope scope([&](const Tensor::Impl& leaf) {
      const std::string name = &leaf == first.impl().get() ? "first" : &leaf == shared.impl().get() ? "shared" : "last";
      order.push_back(name);
      gradients[name] = leaf.grad.ToVector();
    });
    loss.Backward();
  }
  EXPECT_EQ(order.front(), "last");
  EXPECT_EQ(order.size(), 3u);
  EXPECT_EQ(gradients["first"], first.grad().ToVector());
  EXPECT_EQ(gradients["shared"], shared.grad().ToVector());
  EXPECT_THAT(gradients["shared"], ElementsAre(2 * 1 * 5 * 3, 2 * 2 * 6 * 4));
  EXPECT_EQ(gradients["last"], last.grad().ToVector());
}

TEST(LeafGradientScopeTest, TheGradientMayBeTakenAway) {
  Tensor leaf = Leaf({1, 2});
  Tensor taken;
  const LeafGradientScope scope([&](const Tensor::Impl&) {
    taken = leaf.grad();
    leaf.ZeroGrad();
  });
  Sum(Mul(leaf, leaf)).Backward();
  EXPECT_FALSE(leaf.grad().defined());
  EXPECT_THAT(taken.ToVector(), ElementsAre(2, 4));
  Sum(leaf).Backward();
  EXPECT_THAT(taken.ToVector(), ElementsAre(1, 1));
}

TEST(LeafGradientScopeTest, LeavesOf16BitsAreToldWhenTheyAreRounded) {
  Tensor half = Tensor::Full({2}, 3, DType::kBF16).set_requires_grad();
  std::vector<float> seen;
  const LeafGradientScope scope([&](const Tensor::Impl& leaf) { seen = leaf.grad.To(DType::kF32).ToVector(); });
  Sum(Mul(half, half)).Backward();
  EXPECT_THAT(seen, ElementsAre(6, 6));
}

TEST(LeafGradientScopeTest, TheLastScopeAloneIsTold) {
  const Tensor leaf = Leaf({1});
  std::vector<int> told;
  const LeafGradientScope outer([&](const Tensor::Impl&) { told.push_back(1); });
  {
    const LeafGradientScope inner([&](const Tensor::Impl&) { told.push_back(2); });
    Sum(Mul(leaf, leaf)).Backward();
  }
  EXPECT_THAT(told, ElementsAre(2));
  Sum(Mul(leaf, leaf)).Backward();
  EXPECT_THAT(told, ElementsAre(2, 1));
}

TEST(LeafGradientScopeTest, ALeafWithoutAGradientIsNotTold) {
  const Tensor constant = Tensor::Full({2}, 1), leaf = Leaf({1, 2});
  std::vector<const Tensor::Impl*> told;
  const LeafGradientScope scope([&](const Tensor::Impl& complete) { told.push_back(&complete); });
  Sum(Mul(leaf, constant)).Backward();
  EXPECT_THAT(told, ElementsAre(leaf.impl().get()));
}

}  // namespace
}  // namespace twofour
