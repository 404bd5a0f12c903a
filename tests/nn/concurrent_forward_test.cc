// Several threads make forward passes of one model at once. ThreadSanitizer shows races in this. Without it, the tests
// show that every bit is the same as in passes one after another.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <latch>
#include <limits>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/ops.h"
#include "twofour/nn/conv_net.h"
#include "twofour/nn/generate.h"
#include "twofour/nn/gpt.h"
#include "twofour/nn/layers.h"
#include "twofour/nn/mlp.h"
#include "twofour/nn/mlp_stack.h"
#include "twofour/nn/residual_mlp.h"
#include "twofour/nn/semi_sparse_linear.h"
#include "twofour/nn/state_dict.h"
#include "twofour/nn/swap.h"
#include "twofour/optim/adamw.h"

#include "tests/support/case_tables.h"
#include "tests/support/input_densities.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;
using test::RandomF32;
using test::RandomIndices;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr int kThreads = 3;

/// Calls body(thread) on kThreads threads that start together, or on this thread one after another.
void OnThreads(bool at_once, const std::function<void(int)>& body) {
  if (!at_once) {
    for (int thread = 0; thread < kThreads; ++thread) body(thread);
    return;
  }
  std::latch start(kThreads);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      start.arrive_and_wait();
      body(thread);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

struct Case {
  std::string name;
  std::function<std::unique_ptr<Module>(Generator&)> make;
  std::function<Tensor(uint64_t seed)> input;
  SemiSparseOptions sparsity = {};
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

SemiSparseOptions SoftThreshold() {
  SemiSparseOptions options;
  options.plan = sparse::MaskPlan({.method = sparse::MaskMethod::kRows});
  options.soft_threshold = true;
  return options;
}

SemiSparseOptions DenseAtFirst() {
  SemiSparseOptions options;
  options.plan = sparse::MaskPlan({.first_sparse_step = 2});
  return options;
}

Tensor Rows(uint64_t seed) { return RandomF32({48, 128}, {.seed = seed}); }

std::unique_ptr<Module> MakeMlp(Generator& generator) {
  return std::make_unique<Mlp>(MlpOptions{.in_features = 128, .hidden_features = 256, .out_features = 128}, generator);
}

std::unique_ptr<Module> MakeStack(Generator& generator) {
  return std::make_unique<MlpStack>(
      MlpStackOptions{.in_features = 128, .hidden_features = {64, 32}, .out_features = 16}, generator);
}

std::vector<Case> Cases() {
  return {
      {"fused_mlp", MakeMlp, Rows},
      {"mlp_stack", MakeStack, Rows},
      {"soft_threshold", MakeStack, Rows, SoftThreshold()},
      {"dense_at_first", MakeMlp, Rows, DenseAtFirst()},
      {"residual_mlp",
       [](Generator& generator) {
         return std::make_unique<ResidualMlp>(
             ResidualMlpOptions{.in_features = 128, .width = 32, .num_blocks = 2, .out_features = 8}, generator);
       },
       Rows},
      {"conv_net",
       [](Generator& generator) {
         return std::make_unique<ConvNet>(
             ConvNetOptions{
                 .image = {8, 8, 2}, .convolutions = {{.out_channels = 16}, {.out_channels = 32}}, .out_features = 8},
             generator);
       },
       Rows},
      {"gpt",
       [](Generator& generator) {
         return std::make_unique<Gpt>(
             GptOptions{.vocab_size = 19, .sequence_length = 12, .depth = 2, .width = 32, .heads = 4}, generator);
       },
       [](uint64_t seed) {
         return RandomIndices({3, 12}, 19, {.seed = seed});
       }},
  };
}

/// The outcome of some training steps: every result, every gradient and the model's state.
struct Outcome {
  std::vector<Tensor> results, grads;
  std::vector<NamedTensor> state;
  std::vector<double> flip_rates;
};

/// Each step is kThreads forward passes, the even ones with a graph and the others without; Backward, one after
/// another; and an update.
Outcome Train(const Case& c, bool at_once) {
  Generator generator(5);
  const std::unique_ptr<Module> model = c.make(generator);
  SwapLinearWithSemiSparseLinear(*model, {.multiple_of = 4, .sparsity = c.sparsity});
  optim::AdamW adamw(model->Parameters(), {.lr = 0.02});  // Large enough for masks to change.
  Outcome outcome;
  for (uint64_t step = 0; step < 4; ++step) {
    for (const NamedSemiSparseLinear& found : FindSemiSparseLinears(*model)) {
      found.layer->SetOptimizerStep(static_cast<int64_t>(step));
    }
    std::vector<Tensor> results(kThreads);
    OnThreads(at_once, [&](int thread) {
      const Tensor x = c.input(100 * step + static_cast<uint64_t>(thread));
      test::InputDensities densities;  // Each thread observes its own passes.
      const ForwardObserverScope observing(densities);
      if (thread % 2 == 0) {
        results[thread] = model->Forward(x);
      } else {
        const NoGradGuard no_grad;
        results[thread] = model->Forward(x);
      }
    });
    for (const Tensor& result : results) {
      outcome.results.push_back(result.Detach());
      if (result.requires_grad()) Mean(Mul(result, result)).Backward();
    }
    for (const Tensor& parameter : model->Parameters()) outcome.grads.push_back(parameter.grad());
    for (const NamedSemiSparseLinear& found : FindSemiSparseLinears(*model)) {
      outcome.flip_rates.push_back(found.layer->flip_rate());
    }
    adamw.Step();
    adamw.ZeroGrad();
  }
  outcome.state = StateDict(*model);
  return outcome;
}

void ExpectBitEqual(const std::vector<Tensor>& actual, const std::vector<Tensor>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    SCOPED_TRACE(i);
    test::ExpectBitEqual(actual[i], expected[i]);
  }
}

class ConcurrentForwardTest : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Models, ConcurrentForwardTest, ::testing::ValuesIn(Cases()), test::ByName());

TEST_P(ConcurrentForwardTest, GivesTheBitsOfOneAfterAnother) {
  const Outcome expected = Train(GetParam(), /*at_once=*/false), actual = Train(GetParam(), /*at_once=*/true);
  ExpectBitEqual(actual.results, expected.results);
  ExpectBitEqual(actual.grads, expected.grads);
  // A mask that was searched for twice would have a flip rate of 0 the second time.
  EXPECT_EQ(actual.flip_rates, expected.flip_rates);
  EXPECT_THAT(expected.flip_rates, ::testing::Contains(::testing::Gt(0)));
  ASSERT_EQ(actual.state.size(), expected.state.size());
  for (size_t i = 0; i < actual.state.size(); ++i) {
    SCOPED_TRACE(actual.state[i].name);
    EXPECT_EQ(actual.state[i].name, expected.state[i].name);
    test::ExpectBitEqual(actual.state[i].tensor, expected.state[i].tensor);
  }
}

TEST(ConcurrentUseTest, EverythingThatRefreshesAMaskMayMeet) {
  const Tensor weight = RandomF32({128, 128}, {.seed = 1});
  SemiSparseLinear serial(weight.Clone(), Tensor(), SoftThreshold()), layer(weight.Clone(), Tensor(), SoftThreshold());
  const Tensor x = Rows(2), expected = serial.Forward(x);
  for (int round = 0; round < 3; ++round) {
    if (round > 0) {
      Tensor(layer.weight()).Fill(0);
      Tensor(layer.weight()).CopyFrom(weight);
    }
    OnThreads(/*at_once=*/true, [&](int thread) {
      if (thread == 0) test::ExpectBitEqual(layer.Forward(x), expected);
      if (thread == 1) {
        EXPECT_EQ(layer.mask(), sparse::FindRowMask(weight, {}));
      }
      if (thread == 2) {
        EXPECT_EQ(layer.Buffers().size(), 5u);
        test::ExpectBitEqual(layer.EffectiveWeight(), serial.EffectiveWeight());
      }
    });
  }
}

TEST(ConcurrentUseTest, BackwardMayRunBesideForwardPasses) {
  Generator generator(5);
  const std::unique_ptr<Module> model = MakeMlp(generator);
  SwapLinearWithSemiSparseLinear(*model);
  const Tensor x = Rows(1), expected = model->Forward(x);
  const Tensor loss = Mean(model->Forward(x));
  OnThreads(/*at_once=*/true, [&](int thread) {
    if (thread == 0) return loss.Backward();
    test::ExpectBitEqual(model->Forward(x), expected);
  });
  EXPECT_TRUE(model->Parameters()[0].grad().defined());
}

TEST(ConcurrentUseTest, ThreadsMayGenerateFromOneModel) {
  Generator generator(5);
  Gpt gpt({.vocab_size = 19, .sequence_length = 12, .depth = 2, .width = 32, .heads = 4}, generator);
  SwapLinearWithSemiSparseLinear(gpt);
  std::vector<std::vector<int32_t>> expected(kThreads), actual(kThreads);
  const auto generate = [&](int thread) {
    const std::vector<int32_t> prompt{1, 2, thread};
    return Generate(gpt, prompt, {.tokens = 20, .seed = static_cast<uint64_t>(thread)});
  };
  OnThreads(/*at_once=*/true, [&](int thread) { actual[thread] = generate(thread); });
  OnThreads(/*at_once=*/false, [&](int thread) { expected[thread] = generate(thread); });
  EXPECT_EQ(actual, expected);
}

TEST(ConcurrentUseTest, EveryThreadIsToldOfAWeightThatIsNotFinite) {
  Tensor weight = Tensor::Full({8, 8}, 1);
  weight.mutable_data<float>()[9] = std::numeric_limits<float>::infinity();
  SemiSparseLinear layer(weight, Tensor(), {}, "the.weight");
  OnThreads(/*at_once=*/true, [&](int) {
    EXPECT_THAT([&] { layer.Forward(Tensor::Zeros({1, 8})); }, ThrowsMessage<Error>(HasSubstr("the.weight")));
  });
}

TEST(ConcurrentUseTest, DropoutsOfPassesAtOnceAreThoseOfPassesInTurn) {
  Generator one(3), other(3);
  Dropout serial(0.5, one), dropout(0.5, other);
  const Tensor x = Tensor::Full({256}, 1);
  std::vector<std::vector<float>> expected(kThreads), actual(kThreads);
  OnThreads(/*at_once=*/false, [&](int thread) { expected[thread] = serial.Forward(x).ToVector(); });
  OnThreads(/*at_once=*/true, [&](int thread) { actual[thread] = dropout.Forward(x).ToVector(); });
  EXPECT_THAT(actual, ::testing::UnorderedElementsAreArray(expected));
}

}  // namespace
}  // namespace twofour::nn
