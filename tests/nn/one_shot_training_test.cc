#include "twofour/nn/one_shot_training.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/ops.h"
#include "twofour/nn/mlp_stack.h"
#include "twofour/nn/state_dict.h"
#include "twofour/nn/swap.h"
#include "twofour/sparse/mask_of_pattern.h"

#include "tests/sparse/patterns.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;
using test::PatternOf;
using test::RandomF32;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::ThrowsMessage;

/// Two linears, [20, 12] and [8, 20], and batches of their inputs. Equal stacks for equal seeds.
class Stack {
 public:
  explicit Stack(bool swapped) : stack_(Make()) {
    if (!swapped) return;
    SwapLinearWithSemiSparseLinear(
        stack_,
        {.multiple_of = 1,
         .sparsity = {.plan = sparse::MaskPlan({.method = sparse::MaskMethod::kPattern, .pattern = PatternOf("2:4")}),
                      .freeze_step = 0,
                      .freeze_gradient = true,
                      .searches = false}});
  }

  MlpStack& module() { return stack_; }
  Calibration Data() {
    return {.batches = 3, .loss = [this](int64_t batch) {
              const Tensor y = stack_.Forward(RandomF32({30, 12}, {.seed = 7, .stream = static_cast<uint32_t>(batch)}));
              return Mean(Mul(y, y));
            }};
  }
  Tensor Weight(int64_t layer) {
    return stack_.NamedParameters()[static_cast<size_t>(2 * layer)].tensor.Detach().Clone();
  }
  /// Lets all weights grow, those that are masked, too, as an optimizer with momentum would.
  void Drift() {
    for (const NamedTensor& parameter : stack_.NamedParameters()) {
      Tensor weight = parameter.tensor.Detach();
      float* const data = weight.mutable_data<float>();
      for (int64_t i = 0; i < weight.numel(); ++i) data[i] += 0.01F * static_cast<float>(1 + i % 3);
    }
  }
  std::vector<sparse::Mask> Masks() {
    std::vector<sparse::Mask> masks;
    for (const auto& [name, layer] : FindSemiSparseLinears(stack_)) masks.push_back(layer->mask());
    return masks;
  }

 private:
  static MlpStack Make() {
    Generator generator(3);
    return MlpStack({.in_features = 12, .hidden_features = {20}, .out_features = 8}, generator);
  }

  MlpStack stack_;
};

OneShotRounds Rounds(const std::string& pattern, int64_t count, int64_t steps) {
  return {.pruning = {.method = PruningMethod::kSparseGpt,
                      .pattern = PatternOf(pattern),
                      .order = PruningOrder::kLayerByLayer},
          .count = count,
          .steps = steps};
}

const auto kGoOn = [] { return false; };

TEST(OneShotTrainingTest, TheFirstRoundIsThatOfLinears) {
  Stack dense(false), sparse(true);
  const OneShotRounds rounds = Rounds("2:4", 1, 1);
  const auto report = PruneOnce(dense.module(), rounds.pruning, dense.Data());
  ASSERT_TRUE(report);
  OneShotTraining training(sparse.module(), rounds, sparse.Data(), {});
  ASSERT_TRUE(training.Begin(kGoOn));
  for (const int64_t layer : {0, 1}) ExpectBitEqual(sparse.Weight(layer), dense.Weight(layer));
  EXPECT_THAT(sparse.Masks(), ElementsAre(report->pruned[0].mask, report->pruned[1].mask));
}

TEST(OneShotTrainingTest, LaterRoundsBeginWithWhatTheMasksLeave) {
  Stack stack(true);
  std::vector<int64_t> rounds_seen;
  OneShotRounds rounds = Rounds("1:4", 3, 4);
  rounds.pruning.method = PruningMethod::kMask;  // SparseGPT's corrections may bring weights back.
  OneShotTraining training(stack.module(), rounds, stack.Data(), [&](int64_t round, const OneShotReport& report) {
    rounds_seen.push_back(round);
    EXPECT_NEAR(report.pruned[0].sparsity, 0.25 * static_cast<double>(round + 1), 1e-12);
  });
  ASSERT_TRUE(training.Begin(kGoOn));
  const std::vector<sparse::Mask> first = stack.Masks();
  stack.Drift();
  for (int64_t step = 0; step < 4; ++step) training.BeforeStep({.step = step});
  EXPECT_EQ(stack.Masks(), first);  // Steps 1 to 3 are no rounds, and the first is over.
  training.BeforeStep({.step = 4});
  const std::vector<sparse::Mask> second = stack.Masks();
  for (size_t i = 0; i < first.size(); ++i) {
    for (int64_t row = 0; row < first[i].rows(); ++row) {
      for (int64_t col = 0; col < first[i].cols(); ++col) {
        if (second[i].Keeps(row, col)) {
          EXPECT_TRUE(first[i].Keeps(row, col)) << "what was dropped came back";
        }
      }
    }
  }
  for (int64_t step = 5; step < 20; ++step) training.BeforeStep({.step = step});
  EXPECT_THAT(rounds_seen, ElementsAre(0, 1, 2));
}

TEST(OneShotTrainingTest, ARunThatGoesOnPrunesAlike) {
  Stack whole(true), resumed(true);
  const OneShotRounds rounds = Rounds("unstructured:0.6", 2, 4);
  OneShotTraining training(whole.module(), rounds, whole.Data(), {});
  ASSERT_TRUE(training.Begin(kGoOn));
  whole.Drift();
  LoadStateDict(resumed.module(), StateDict(whole.module()), "whole");
  training.BeforeStep({.step = 4});
  OneShotTraining(resumed.module(), rounds, resumed.Data(), {}).BeforeStep({.step = 4});
  EXPECT_EQ(resumed.Masks(), whole.Masks());
  for (const int64_t layer : {0, 1}) ExpectBitEqual(resumed.Weight(layer), whole.Weight(layer));
}

TEST(OneShotTrainingTest, AStopLeavesWeightsAndMasks) {
  Stack stack(true), untouched(true);
  int asked = 0;
  OneShotTraining training(stack.module(), Rounds("2:4", 1, 1), stack.Data(), {});
  EXPECT_FALSE(training.Begin([&asked] { return ++asked > 8; }));
  EXPECT_EQ(stack.Masks(), untouched.Masks());
  for (const int64_t layer : {0, 1}) ExpectBitEqual(stack.Weight(layer), untouched.Weight(layer));
}

TEST(OneShotTrainingTest, NoRoundLetsWeightsGrowBack) {
  Stack stack(true), untouched(true);
  for (const auto& [name, layer] : FindSemiSparseLinears(stack.module())) {
    layer->SetMask(sparse::FindMaskOf(layer->weight().Detach(), PatternOf("unstructured:0.5"), name));
  }
  const std::vector<sparse::Mask> masks = stack.Masks();
  const auto begin = [&](const std::string& pattern, int64_t count) {
    return [&stack, pattern, count] {
      OneShotTraining(stack.module(), Rounds(pattern, count, 1), stack.Data(), {}).Begin(kGoOn);
    };
  };
  // The first of three rounds drops 0.7 (1 - (2 / 3)^3) of all weights.
  EXPECT_THAT(begin("unstructured:0.7", 3), ThrowsMessage<Error>(HasSubstr("round 1: unstructured:0.49259")));
  EXPECT_EQ(stack.Masks(), masks);
  for (const int64_t layer : {0, 1}) ExpectBitEqual(stack.Weight(layer), untouched.Weight(layer));
  EXPECT_NO_THROW(begin("unstructured:0.72", 3)());
}

TEST(OneShotTrainingTest, WrongRounds) {
  Stack stack(true);
  const auto make = [&stack](const OneShotRounds& rounds) {
    return [&stack, rounds] { OneShotTraining(stack.module(), rounds, stack.Data(), {}); };
  };
  EXPECT_THAT(make(Rounds("2:4", 3, 1)), ThrowsMessage<Error>(HasSubstr("count is 3, expected at most 2 for 2:4")));
  EXPECT_THAT(make(Rounds("2:4", 0, 1)), ThrowsMessage<Error>(HasSubstr("count")));
  EXPECT_THAT(make(Rounds("2:4", 1, 0)), ThrowsMessage<Error>(HasSubstr("steps")));
}

}  // namespace
}  // namespace twofour::nn
