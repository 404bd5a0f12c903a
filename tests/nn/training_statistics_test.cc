#include "twofour/nn/training_statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "twofour/sparse/prune/gradient_statistics.h"
#include "twofour/sparse/scores/ria_scores.h"
#include "twofour/sparse/scores/weight_scores.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using sparse::InputStatistics;
using sparse::MaskScore;
using test::ExpectBitEqual;
using test::F32;
using test::RandomF32;
using test::ScopedNumThreads;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr float kInf = std::numeric_limits<float>::infinity();

InputStatistics InputsOf(const Tensor& x) {
  InputStatistics inputs(x.cols(), InputStatistics::Extent::kGram);
  inputs.Add(x, "x");
  return inputs;
}

std::vector<NamedTensor> StateOf(const TrainingStatistics& statistics) {
  std::vector<NamedTensor> state;
  statistics.AppendState("w", state);
  return state;
}

void Load(TrainingStatistics& statistics, const std::vector<NamedTensor>& state) {
  StateReader reader(state, "state");
  const auto commit = statistics.ReadState("w", reader);
  reader.Finish("no such tensor");
  commit();
}

/// The numbers of each tensor.
std::vector<std::pair<std::string, std::vector<double>>> NumbersOf(const TrainingStatistics& statistics) {
  std::vector<std::pair<std::string, std::vector<double>>> numbers;
  for (const auto& [name, tensor] : StateOf(statistics)) {
    numbers.emplace_back(name, std::vector(tensor.data<double>(), tensor.data<double>() + tensor.numel()));
  }
  return numbers;
}

TEST(TrainingStatisticsTest, AverageOverSteps) {
  const auto numbers_of = [](MaskScore score) {
    TrainingStatistics statistics(score, {1, 2});
    for (const float size : {1.0f, 2.0f, -1.0f}) {
      statistics.AddInputs(InputsOf(F32({2 * size, -size, 0, 3 * size}, {2, 2})));
      statistics.AddGradient(F32({size, -4 * size}, {1, 2}));
    }
    return NumbersOf(statistics);
  };
  const double linear = 0.9 * (0.9 + 0.2) + 0.1, square = 0.9 * (0.9 + 0.4) + 0.1;
  using ::testing::DoubleEq;
  using ::testing::Pair;
  const auto squares = Pair("w_mask_input_squares", ElementsAre(DoubleEq(4 * square), DoubleEq(10 * square)));
  for (const MaskScore score : {MaskScore::kRia, MaskScore::kWanda, MaskScore::kHessian}) {
    EXPECT_THAT(numbers_of(score), ElementsAre(squares));
  }
  EXPECT_THAT(
      numbers_of(MaskScore::kGblm),
      ElementsAre(squares, Pair("w_mask_gradient_squares", ElementsAre(DoubleEq(square), DoubleEq(16 * square)))));
  EXPECT_THAT(numbers_of(MaskScore::kActivation),
              ElementsAre(Pair("w_mask_input_magnitudes", ElementsAre(DoubleEq(linear), DoubleEq(2 * linear)))));
  EXPECT_THAT(numbers_of(MaskScore::kGradient),
              ElementsAre(Pair("w_mask_gradient_magnitudes", ElementsAre(DoubleEq(linear), DoubleEq(4 * linear)))));
  EXPECT_THAT(numbers_of(MaskScore::kObs),
              ElementsAre(Pair("w_mask_input_products", ElementsAre(DoubleEq(4 * square), DoubleEq(-2 * square),
                                                                    DoubleEq(-2 * square), DoubleEq(10 * square)))));
  EXPECT_THAT(numbers_of(MaskScore::kMagnitude), IsEmpty());
  EXPECT_THAT(numbers_of(MaskScore::kRandom), IsEmpty());
}

TEST(TrainingStatisticsTest, BeforeAnythingIsKnownInputsAreEqual) {
  const Tensor weight = RandomF32({4, 8}, {.seed = 1}), ones = Tensor::Full({8}, 1);
  const auto scores = [&](MaskScore score) {
    return TrainingStatistics(score, weight.shape()).Scores(weight, {.seed = 2}, "w");
  };
  ExpectBitEqual(scores(MaskScore::kRia), sparse::RiaScores(weight, ones));
  const Tensor activation = scores(MaskScore::kActivation), wanda = scores(MaskScore::kWanda),
               hessian = scores(MaskScore::kHessian), obs = scores(MaskScore::kObs);
  for (int64_t i = 0; i < weight.numel(); ++i) {
    const float w = std::fabs(weight.data<float>()[i]);
    EXPECT_EQ(activation.data<float>()[i], w);
    EXPECT_EQ(wanda.data<float>()[i], w);
    EXPECT_FLOAT_EQ(hessian.data<float>()[i], w * w / 2);
    EXPECT_FLOAT_EQ(obs.data<float>()[i], w * w * 1.01f) << "the dampening is 1 %";
  }
  for (const MaskScore score : {MaskScore::kMagnitude, MaskScore::kGradient, MaskScore::kGblm}) {
    ExpectBitEqual(scores(score), weight);
  }
}

/// A layer's other random choices draw at steps 0 and 1 of its key.
TEST(TrainingStatisticsTest, RandomScoresDependOnTheKeyAlone) {
  const Tensor weight = RandomF32({4, 8}, {.seed = 1});
  const TrainingStatistics statistics(MaskScore::kRandom, weight.shape());
  const Tensor scores = statistics.Scores(weight, {.seed = 2, .stream = 3, .step = 9}, "w");
  ExpectBitEqual(scores, sparse::RandomScores({4, 8}, {.seed = 2, .stream = 3, .step = 2}));
  ExpectBitEqual(statistics.Scores(RandomF32({4, 8}, {.seed = 5}), {.seed = 2, .stream = 3}, "w"), scores);
  const Tensor others = statistics.Scores(weight, {.seed = 2, .stream = 4}, "w");
  EXPECT_NE(others.data<float>()[0], scores.data<float>()[0]);
}

TEST(TrainingStatisticsTest, InputsOfEverySizeCount) {
  // The squares of these inputs are beyond what a float holds.
  const Tensor weight = RandomF32({4, 8}, {.seed = 1}), x = RandomF32({5, 8}, {.seed = 2});
  const auto scores = [&](float scale) {
    TrainingStatistics statistics(MaskScore::kWanda, weight.shape());
    Tensor scaled = x.Clone();
    for (int64_t i = 0; i < x.numel(); ++i) scaled.mutable_data<float>()[i] *= scale;
    statistics.AddInputs(InputsOf(scaled));
    return statistics.Scores(weight, {}, "w");
  };
  const Tensor usual = scores(1);
  for (const float scale : {1e-30f, 1e25f}) {
    const Tensor others = scores(scale);
    for (int64_t i = 0; i < usual.numel(); ++i) {
      EXPECT_NEAR(others.data<float>()[i] / (scale * usual.data<float>()[i]), 1, 1e-5);
    }
  }
}

TEST(TrainingStatisticsTest, AGradientThatIsNotFiniteDoesNotCount) {
  TrainingStatistics statistics(MaskScore::kGradient, {1, 2});
  statistics.AddGradient(F32({kInf, 1}, {1, 2}));
  EXPECT_THAT(StateOf(statistics), IsEmpty());
  statistics.AddGradient(F32({3, 1}, {1, 2}));
  statistics.AddGradient(F32({1, std::nanf("")}, {1, 2}));
  EXPECT_EQ(StateOf(statistics)[0].tensor.data<double>()[0], 3);
}

TEST(TrainingStatisticsTest, RestoredOnesGoOnWithTheSameBits) {
  const Tensor weight = RandomF32({8, 12}, {.seed = 1});
  for (const MaskScore score : sparse::MaskScores()) {
    SCOPED_TRACE(NameOf(score));
    TrainingStatistics whole(score, weight.shape()), part(score, weight.shape());
    for (uint64_t step = 0; step < 4; ++step) {
      if (step == 2) Load(part, StateOf(whole));
      for (TrainingStatistics* const one : {&whole, &part}) {
        if (step < 2 && one == &part) continue;
        one->AddInputs(InputsOf(RandomF32({20, 12}, {.seed = 2, .step = step})));
        one->AddGradient(RandomF32({8, 12}, {.seed = 3, .step = step}));
      }
    }
    ExpectBitEqual(part.Scores(weight, {}, "w"), whole.Scores(weight, {}, "w"));
    Load(part, {});
    EXPECT_THAT(StateOf(part), IsEmpty()) << "a state without averages: nothing is known";
  }
}

TEST(TrainingStatisticsTest, AStateDoesNotChangeWithTheStatistics) {
  TrainingStatistics statistics(MaskScore::kGradient, {1, 2});
  statistics.AddGradient(F32({1, 2}, {1, 2}));
  const std::vector<NamedTensor> state = StateOf(statistics);
  TrainingStatistics other(MaskScore::kGradient, {1, 2});
  Load(other, state);
  for (TrainingStatistics* const one : {&statistics, &other}) one->AddGradient(F32({5, 6}, {1, 2}));
  EXPECT_EQ(state[0].tensor.data<double>()[0], 1);
}

TEST(TrainingStatisticsTest, HaveTheSameBitsForAnyNumberOfThreads) {
  const int64_t out = 130, in = 300;
  const Tensor weight = RandomF32({out, in}, {.seed = 1});
  for (const MaskScore score : sparse::MaskScores()) {
    SCOPED_TRACE(NameOf(score));
    Tensor first;
    for (const int threads : {1, 3}) {
      const ScopedNumThreads scope(threads);
      TrainingStatistics statistics(score, weight.shape());
      for (uint64_t step = 0; step < 2; ++step) {
        statistics.AddInputs(InputsOf(RandomF32({70, in}, {.seed = 2, .step = step})));
        statistics.AddGradient(RandomF32({out, in}, {.seed = 3, .step = step}));
      }
      const Tensor scores = statistics.Scores(weight, {}, "w");
      if (first.defined()) {
        ExpectBitEqual(scores, first);
      } else {
        first = scores;
      }
    }
  }
}

TEST(TrainingStatisticsTest, AStateThatCannotBeIsRefused) {
  const auto refused = [](MaskScore score, const std::string& name, const Tensor& tensor, const std::string& expected) {
    TrainingStatistics statistics(score, {4, 8});
    EXPECT_ERROR(Load(statistics, {{name, tensor}}), ErrorKind::kInvalidInput, HasSubstr(expected));
  };
  const DType f64 = DType::kF64;
  for (const Tensor& bad : {Tensor::Full({8}, -1, f64), Tensor::Full({8}, std::nan(""), f64),
                            Tensor::Full({8}, kInf, f64), Tensor::Full({7}, 1, f64), Tensor::Full({8}, 1)}) {
    refused(MaskScore::kWanda, "w_mask_input_squares", bad, "expected f64 [8] that are finite and not negative");
    refused(MaskScore::kActivation, "w_mask_input_magnitudes", bad, "expected f64 [8] that are finite");
    refused(MaskScore::kGradient, "w_mask_gradient_magnitudes", bad, "expected f64 [4, 8] that are finite");
  }
  for (const Tensor& bad : {Tensor::Full({8, 8}, -1, f64), Tensor::Full({8, 8}, std::nan(""), f64),
                            Tensor::Full({8}, 1, f64), Tensor::Full({8, 8}, 1)}) {
    refused(MaskScore::kObs, "w_mask_input_products", bad,
            "expected f64 [8, 8] that are finite and not negative on the diagonal");
  }
  TrainingStatistics statistics(MaskScore::kWanda, {4, 8});
  EXPECT_ERROR(Load(statistics, {{"w_mask_input_magnitudes", Tensor::Full({8}, 1, f64)}}), ErrorKind::kInvalidInput,
               HasSubstr("no such tensor"));
  Load(statistics, {{"w_mask_input_squares", Tensor::Full({8}, 1, f64)}});
}

TEST(TrainingStatisticsTest, WhatDoesNotFitIsRefused) {
  TrainingStatistics inputs(MaskScore::kWanda, {4, 8}), products(MaskScore::kObs, {4, 8}),
      gradients(MaskScore::kGradient, {4, 8});
  EXPECT_ERROR(inputs.AddInputs(InputsOf(Tensor::Full({2, 7}, 1))), ErrorKind::kInvalidInput,
               HasSubstr("inputs of 7 features, expected 8"));
  InputStatistics features(8, InputStatistics::Extent::kFeatures);
  features.Add(Tensor::Full({2, 8}, 1), "x");
  EXPECT_ERROR(products.AddInputs(features), ErrorKind::kInvalidInput, HasSubstr("no Gram matrix"));
  EXPECT_ERROR(gradients.AddGradient(Tensor::Full({8, 4}, 1)), ErrorKind::kInvalidInput, HasSubstr("gradient"));
  EXPECT_EQ(products.extent(), InputStatistics::Extent::kGram);
  EXPECT_EQ(inputs.extent(), InputStatistics::Extent::kFeatures);
}

}  // namespace
}  // namespace twofour::nn
