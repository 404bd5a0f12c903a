#include "twofour/nn/forward_observer.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "twofour/nn/gpt.h"
#include "twofour/nn/mlp.h"
#include "twofour/nn/residual_mlp.h"
#include "twofour/nn/swap.h"

#include "tests/support/input_densities.h"
#include "tests/support/scoped_env.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;
using test::ExpectClose;
using test::InputDensities;
using test::RandomF32;
using test::ScopedEnv;

/// Records what it sees.
struct Recorder : public ForwardObserver {
  void OnLinear(const Module& linear, const LinearInput& input) override {
    seen.emplace_back(linear.type_name());
    values.push_back(input.Values());
    densities.push_back(input.Density());
  }
  std::vector<std::string> seen;
  std::vector<Tensor> values;
  std::vector<double> densities;
};

std::unique_ptr<Mlp> MakeMlp() {
  Generator generator(3);
  return std::make_unique<Mlp>(MlpOptions{.in_features = 128, .hidden_features = 64, .out_features = 132}, generator);
}

TEST(ForwardObserverTest, SeesWhatComesIntoEachLinearWhateverKindItIs) {
  const Tensor x = RandomF32({3, 5, 128}, {.seed = 1});
  for (const SwapTarget target : {SwapTarget::kWeight, SwapTarget::kActivation}) {
    for (const bool swap : {false, true}) {
      const std::unique_ptr<Mlp> mlp = MakeMlp();
      if (swap) {
        SwapLinearWithSemiSparseLinear(
            *mlp, {.include = ".*", .multiple_of = 4, .target = target, .sparsity = {.fused_mlp = false}});
      }
      Recorder recorder;
      {
        const ForwardObserverScope observing(recorder);
        mlp->Forward(x);
      }
      ASSERT_EQ(recorder.seen.size(), 2u);
      ExpectBitEqual(recorder.values[0], x);
      EXPECT_FALSE(recorder.values[0].requires_grad());
      EXPECT_EQ(recorder.values[1].shape(), (Shape{3, 5, 64}));
      EXPECT_EQ(recorder.densities[0], 1.0);
      int64_t positive = 0;
      for (const float h : recorder.values[1].ToVector()) positive += h > 0;
      EXPECT_EQ(recorder.densities[1], static_cast<double>(positive) / (3 * 5 * 64));
      mlp->Forward(x);
      EXPECT_EQ(recorder.seen.size(), 2u) << "observed after the scope's end";
    }
  }
}

TEST(ForwardObserverTest, PartsOfAnOpAreSeenAsIfTheyRanByThemselves) {
  const ScopedEnv env("TWOFOUR_KERNEL", std::nullopt);
  const std::unique_ptr<Mlp> fused = MakeMlp(), composed = MakeMlp();
  SwapLinearWithSemiSparseLinear(*fused, {.include = ".*", .multiple_of = 4});
  SwapLinearWithSemiSparseLinear(*composed, {.include = ".*", .multiple_of = 4, .sparsity = {.fused_mlp = false}});
  for (const int64_t rows : {200, 257}) {
    ASSERT_NE(fused->FusedKernel(rows), nullptr);
    Recorder as_one, by_linear;
    const Tensor x = RandomF32({rows, 128}, {.seed = 2});
    {
      const ForwardObserverScope observing(as_one);
      fused->Forward(x);
    }
    {
      const ForwardObserverScope observing(by_linear);
      composed->Forward(x);
    }
    EXPECT_EQ(as_one.seen, by_linear.seen);
    ASSERT_EQ(as_one.values.size(), 2u);
    ExpectBitEqual(as_one.values[0], by_linear.values[0]);
    ExpectClose(as_one.values[1], by_linear.values[1], 1e-5, 1e-5);
    for (int i = 0; i < 2; ++i) EXPECT_NEAR(as_one.densities[i], by_linear.densities[i], 1e-3);
  }
}

TEST(ForwardObserverTest, TheHeadOfAGptIsSeenWhetherOrNotItsLossIsOneOp) {
  Generator generator(3);
  Gpt gpt({.vocab_size = 8, .sequence_length = 4, .depth = 1, .width = 8, .heads = 2}, generator);
  const Tensor tokens = Tensor::Zeros({2, 4}, DType::kI32);
  Recorder logits, loss;
  {
    const ForwardObserverScope observing(logits);
    gpt.Forward(tokens);
  }
  {
    const ForwardObserverScope observing(loss);
    gpt.Loss(tokens, tokens);
  }
  ASSERT_EQ(loss.values.size(), logits.values.size());
  EXPECT_EQ(loss.seen.back(), "Linear");
  EXPECT_EQ(loss.values.back().shape(), (Shape{2, 4, 8}));
  for (size_t i = 0; i < logits.values.size(); ++i) ExpectBitEqual(loss.values[i], logits.values[i]);
}

/// Records what passes through blocks.
struct BlockRecorder : public ForwardObserver {
  void OnLinear(const Module&, const LinearInput&) override {}
  void OnBlock(const Module& block, const Tensor& input, const Tensor& output) override {
    seen.emplace_back(block.type_name());
    inputs.push_back(input);
    outputs.push_back(output);
  }
  std::vector<std::string> seen;
  std::vector<Tensor> inputs, outputs;
};

TEST(ForwardObserverTest, BlocksReportWhatPassesThroughThem) {
  Generator generator(3);
  Gpt gpt({.vocab_size = 8, .sequence_length = 4, .depth = 3, .width = 8, .heads = 2, .init = {.projection_std = 1}},
          generator);
  const Tensor tokens = Tensor::Zeros({2, 4}, DType::kI32);
  BlockRecorder forward, decode;
  {
    const ForwardObserverScope observing(forward);
    gpt.Forward(tokens);
  }
  {
    KeyValueCache cache = gpt.MakeCache(2, 4);
    const ForwardObserverScope observing(decode);
    gpt.Decode(tokens, cache);
  }
  EXPECT_EQ(forward.seen, (std::vector<std::string>{"GptBlock", "GptBlock", "GptBlock"}));
  EXPECT_EQ(decode.seen, forward.seen);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(forward.inputs[i].shape(), (Shape{2, 4, 8}));
    EXPECT_NE(forward.outputs[i].ToVector(), forward.inputs[i].ToVector());
    if (i > 0) ExpectBitEqual(forward.inputs[i], forward.outputs[i - 1]);
    ExpectClose(decode.outputs[i], forward.outputs[i], 1e-4, 1e-4);
  }
  ResidualMlp mlp({.in_features = 4, .width = 8, .num_blocks = 2, .out_features = 3, .zero_init_projection = false},
                  generator);
  BlockRecorder residual;
  const ForwardObserverScope observing(residual);
  mlp.Forward(RandomF32({5, 4}, {.seed = 1}));
  EXPECT_EQ(residual.seen, (std::vector<std::string>{"ResidualBlock", "ResidualBlock"}));
  ExpectBitEqual(residual.inputs[1], residual.outputs[0]);
}

TEST(ForwardObserverTest, ObservingDoesNotChangeResults) {
  const std::unique_ptr<Mlp> mlp = MakeMlp();
  SwapLinearWithSemiSparseLinear(*mlp, {.include = ".*", .multiple_of = 4});
  const Tensor x = RandomF32({200, 128}, {.seed = 4});
  const Tensor alone = mlp->Forward(x);
  InputDensities densities;
  const ForwardObserverScope observing(densities);
  ExpectBitEqual(mlp->Forward(x), alone);
  EXPECT_EQ(densities.count(), 2u);
}

TEST(ForwardObserverTest, ScopesMayOverlapAndEndInAnyOrder) {
  const std::unique_ptr<Mlp> mlp = MakeMlp();
  const Tensor x = RandomF32({2, 128}, {.seed = 5});
  Recorder first, second;
  std::optional<ForwardObserverScope> outer, inner;
  outer.emplace(first);
  inner.emplace(second);
  mlp->Forward(x);
  outer.reset();
  mlp->Forward(x);
  inner.reset();
  mlp->Forward(x);
  EXPECT_EQ(first.seen.size(), 2u);
  EXPECT_EQ(second.seen.size(), 4u);
  EXPECT_FALSE(IsForwardObserved());
}

/// Calls a function at each linear.
struct Caller : public ForwardObserver {
  void OnLinear(const Module&, const LinearInput&) override { ++calls, act(); }
  std::function<void()> act = [] {};
  int calls = 0;
};

TEST(ForwardObserverTest, ScopesMayBeginAndEndWhileObserversAreCalled) {
  const std::unique_ptr<Mlp> mlp = MakeMlp();  // Two linears.
  const Tensor x = RandomF32({2, 128}, {.seed = 5});
  Caller first, last, added[40];
  std::optional<ForwardObserverScope> first_scope, last_scope;
  std::vector<std::unique_ptr<ForwardObserverScope>> scopes;
  first_scope.emplace(first);
  last_scope.emplace(last);
  // Many are added at once, so that the list must grow while it is walked.
  first.act = [&] {
    for (Caller& caller : added) scopes.push_back(std::make_unique<ForwardObserverScope>(caller));
    first_scope.reset();
  };
  mlp->Forward(x);
  EXPECT_EQ(first.calls, 1);
  EXPECT_EQ(last.calls, 2);
  for (const Caller& caller : added) EXPECT_EQ(caller.calls, 1);
  // One that ends the scopes of those before and after it.
  added[20].act = [&] { scopes.clear(); };
  mlp->Forward(x);
  EXPECT_EQ(last.calls, 4);
  EXPECT_EQ(added[19].calls, 2);
  EXPECT_EQ(added[20].calls, 2);
  EXPECT_EQ(added[21].calls, 1);
  last.act = [&] { last_scope.reset(); };
  mlp->Forward(x);
  EXPECT_EQ(last.calls, 5);
  EXPECT_FALSE(IsForwardObserved());
}

TEST(ForwardObserverTest, AnObserverMayThrowOrRunAForwardPass) {
  const std::unique_ptr<Mlp> mlp = MakeMlp(), other = MakeMlp();
  const Tensor x = RandomF32({2, 128}, {.seed = 5});
  Caller caller;
  std::optional<ForwardObserverScope> scope;
  scope.emplace(caller);
  caller.act = [&] {
    if (caller.calls == 1) other->Forward(x);
  };
  mlp->Forward(x);
  EXPECT_EQ(caller.calls, 4);
  caller.act = [&] {
    scope.reset();
    throw std::runtime_error("enough");
  };
  EXPECT_THROW(mlp->Forward(x), std::runtime_error);
  EXPECT_FALSE(IsForwardObserved());
  mlp->Forward(x);
  EXPECT_EQ(caller.calls, 5);
}

TEST(ForwardObserverTest, SeesItsOwnThreadOnly) {
  const std::unique_ptr<Mlp> mlp = MakeMlp();
  const Tensor x = RandomF32({2, 128}, {.seed = 6});
  Recorder here;
  const ForwardObserverScope observing(here);
  std::thread([&] {
    EXPECT_FALSE(IsForwardObserved());
    mlp->Forward(x);
  }).join();
  EXPECT_TRUE(here.seen.empty());
}

}  // namespace
}  // namespace twofour::nn
