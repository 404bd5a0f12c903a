// What autograd keeps alive, and for how long. Also checks that long graphs fit on the stack.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/ops.h"

#include "tests/support/tensors.h"

namespace twofour {
namespace {

using test::F32;

constexpr int kLongChain = 200000;

std::weak_ptr<Storage> Watch(const Tensor& tensor) { return tensor.impl()->storage; }

Tensor ScalarLeaf(float value) {
  Tensor leaf = F32({value}, {1});
  leaf.set_requires_grad();
  return leaf;
}

Tensor LongChain(const Tensor& x) {
  const Tensor one = F32({1}, {1});
  Tensor y = x;
  for (int i = 0; i < kLongChain; ++i) y = Add(y, one);
  return y;
}

TEST(AutogradMemoryTest, LongChainBackward) {
  const Tensor x = ScalarLeaf(0);
  LongChain(x).Backward();
  EXPECT_EQ(x.grad().item(), 1);
}

TEST(AutogradMemoryTest, LongChainIsFreedWithoutBackward) {
  const Tensor x = ScalarLeaf(0);
  std::weak_ptr<autograd::Node> node;
  {
    const Tensor y = LongChain(x);
    node = y.impl()->node;
    EXPECT_EQ(y.item(), kLongChain);
  }
  EXPECT_TRUE(node.expired());
  EXPECT_EQ(x.impl().use_count(), 1);  // Every edge to the leaf is gone.
}

TEST(AutogradMemoryTest, LongChainOfSavedTensorsIsFreed) {
  // Each op keeps its inputs. There must be no chain of destructors through saved tensors either.
  const Tensor x = ScalarLeaf(1);
  Tensor y = x;
  for (int i = 0; i < kLongChain; ++i) y = Mul(y, x);
  y = Tensor();
  EXPECT_EQ(x.impl().use_count(), 1);
  EXPECT_TRUE(x.IsSoleOwner());
}

TEST(AutogradMemoryTest, LongDiamondChain) {
  // Both inputs of each node are the node before it.
  const Tensor x = ScalarLeaf(1);
  const Tensor half = F32({0.5}, {1});
  Tensor y = x;
  for (int i = 0; i < kLongChain / 2; ++i) y = Mul(Add(y, y), half);
  y.Backward();
  EXPECT_EQ(x.grad().item(), 1);
  y = Tensor();
  EXPECT_EQ(x.impl().use_count(), 1);
}

TEST(AutogradMemoryTest, BranchSharedByTwoGraphsOutlivesOne) {
  const Tensor x = ScalarLeaf(2);
  const Tensor shared = LongChain(x);
  Tensor other = Scale(shared, 3);
  { const Tensor dropped = Scale(shared, 5); }
  other.Backward();
  EXPECT_EQ(x.grad().item(), 3);
}

TEST(AutogradMemoryTest, IntermediatesThatNobodySavedAreFreed) {
  const Tensor x = ScalarLeaf(2);
  std::weak_ptr<Storage> watched;
  Tensor y;
  {
    const Tensor intermediate = Scale(x, 3);
    watched = Watch(intermediate);
    y = Add(Scale(intermediate, 2), intermediate);
  }
  EXPECT_TRUE(watched.expired());
  y.Backward();
  EXPECT_EQ(x.grad().item(), 9);
}

TEST(AutogradMemoryTest, WithoutAGraphNothingIsKept) {
  const Tensor x = ScalarLeaf(2);
  const NoGradGuard no_grad;
  std::weak_ptr<Storage> watched;
  Tensor y;
  {
    const Tensor intermediate = Scale(x, 3);
    watched = Watch(intermediate);
    y = Mul(intermediate, intermediate);
  }
  EXPECT_TRUE(watched.expired());
}

TEST(AutogradMemoryTest, SavedTensorsLiveUntilBackward) {
  const Tensor x = ScalarLeaf(2);
  std::weak_ptr<Storage> watched;
  Tensor y;
  {
    const Tensor intermediate = Scale(x, 3);
    watched = Watch(intermediate);
    y = Mul(intermediate, intermediate);
  }
  EXPECT_FALSE(watched.expired());
  y.Backward();
  EXPECT_TRUE(watched.expired());  // It is freed although y and its nodes still live.
  EXPECT_EQ(x.grad().item(), 36);
}

TEST(AutogradMemoryTest, SavedTensorsAreFreedWithAGraphThatIsNeverUsed) {
  const Tensor x = ScalarLeaf(2);
  std::weak_ptr<Storage> watched;
  {
    const Tensor y = Softmax(Scale(x, 3));  // Softmax keeps its own output, which must not be a cycle.
    watched = Watch(y);
  }
  EXPECT_TRUE(watched.expired());
}

TEST(AutogradMemoryTest, BackwardFreesAsItGoes) {
  // When the first op's backward function runs, the tensors that later ops saved are already gone.
  const Tensor x = ScalarLeaf(2);
  std::weak_ptr<Storage> watched;
  bool freed = false;
  Tensor first = F32({2}, {1});
  autograd::Record("First", {x}, first, [&](const Tensor& dy) {
    freed = watched.expired();
    return std::vector<Tensor>{dy};
  });
  Tensor y;
  {
    const Tensor middle = Scale(first, 2);
    watched = Watch(middle);
    y = Mul(middle, middle);
  }
  EXPECT_FALSE(watched.expired());
  y.Backward();
  EXPECT_TRUE(freed);
}

TEST(AutogradMemoryTest, AFailedBackwardLeavesNoLeak) {
  Tensor x = ScalarLeaf(2);
  {
    const Tensor y = Mul(x, x);
    x.mutable_data<float>()[0] = 3;
    EXPECT_THROW(y.Backward(), Error);
  }
  EXPECT_TRUE(x.IsSoleOwner());
  EXPECT_TRUE(GradEnabled());
}

}  // namespace
}  // namespace twofour
