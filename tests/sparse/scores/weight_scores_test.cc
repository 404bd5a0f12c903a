#include "twofour/sparse/scores/weight_scores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>
#include <string>

#include "twofour/core/cholesky.h"
#include "twofour/core/error.h"

#include "tests/sparse/prune/layers_to_prune.h"
#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::ExpectBitEqual;
using test::ExpectClose;
using test::F32;
using test::LayerToPrune;
using ::testing::HasSubstr;

/// A weight [2, 2], two samples of its input and two gradients.
class WeightScoresTest : public ::testing::Test {
 protected:
  WeightScoresTest() {
    inputs_.Add(F32({3, 1, -4, 2}, {2, 2}), "x");
    gradients_.Add(F32({1, -2, 3, 0}, {2, 2}), "g");
    gradients_.Add(F32({-3, 2, 4, 1}, {2, 2}), "g");
  }
  Tensor Of(MaskScore score) { return ScoresOf(score, weight_, {.inputs = &inputs_, .gradients = &gradients_}); }
  void Expect(MaskScore score, const std::vector<float>& expected) {
    SCOPED_TRACE(NameOf(score));
    ExpectClose(Of(score), F32(expected, {2, 2}));
  }

  const Tensor weight_ = F32({2, -1, -3, 0.5}, {2, 2});
  InputStatistics inputs_{2, InputStatistics::Extent::kGram};
  GradientStatistics gradients_{{2, 2}};
};

TEST_F(WeightScoresTest, AreTheFormulas) {
  const float root5 = std::sqrt(5.0f);  // The norms are 5 and the root of 5.
  Expect(MaskScore::kMagnitude, {2, 1, 3, 0.5});
  Expect(MaskScore::kActivation, {2 * 3.5f, 1.5f, 3 * 3.5f, 0.75f});
  Expect(MaskScore::kWanda, {10, root5, 15, 0.5f * root5});
  Expect(MaskScore::kHessian, {50, 2.5f, 112.5f, 0.625f});
  Expect(MaskScore::kGradient, {2 * 2, 1 * 2, 3 * 3.5f, 0.5f * 0.5f});
  Expect(MaskScore::kGblm,
         {10 + 200 * std::sqrt(10.0f), root5 + 100 * std::sqrt(8.0f), 15 + 300 * 5, 0.5f * root5 + 50});
  Expect(MaskScore::kRia, {(2.0f / 3 + 2.0f / 5) * std::sqrt(5.0f), (1.0f / 3 + 1 / 1.5f) * std::sqrt(root5),
                           (3 / 3.5f + 3.0f / 5) * std::sqrt(5.0f), (0.5f / 3.5f + 0.5f / 1.5f) * std::sqrt(root5)});
}

/// The inverse of H = [[25, -5], [-5, 5]] + 0.01 * 15 on the diagonal, by Cramer's rule.
TEST_F(WeightScoresTest, ObsDividesByTheInversesDiagonal) {
  const float a = 25.15f, d = 5.15f, determinant = a * d - 25;
  const float first = d / determinant, second = a / determinant;
  Expect(MaskScore::kObs, {4 / first, 1 / second, 9 / first, 0.25f / second});
}

/// What OBS predicts: the least squared error of the outputs without the weight is w^2 / [H^-1]_jj.
TEST(ObsScoresTest, AreTheErrorThatRemains) {
  const LayerToPrune layer(1, 6, 50, 1);
  const Tensor& gram = layer.statistics.Gram();
  const Tensor scores = ScoresOf(MaskScore::kObs, layer.weight, {.inputs = &layer.statistics, .dampening = 0});
  for (int64_t gone = 0; gone < 6; ++gone) {
    // The other weights change by d with H_oo d = w_gone H_o,gone; the error is the Schur complement times w^2.
    Tensor others = Tensor::Empty({5, 5}, DType::kF64);
    std::vector<double> column;
    for (int64_t i = 0; i < 5; ++i) {
      const int64_t row = i + (i >= gone);
      for (int64_t j = 0; j < 5; ++j) {
        others.mutable_data<double>()[i * 5 + j] = gram.data<double>()[row * 6 + j + (j >= gone)];
      }
      column.push_back(gram.data<double>()[row * 6 + gone]);
    }
    const Tensor inverse = *InverseOfPositive(others);
    double schur = gram.data<double>()[gone * 7];
    for (size_t i = 0; i < 5; ++i) {
      for (size_t j = 0; j < 5; ++j) schur -= column[i] * inverse.data<double>()[i * 5 + j] * column[j];
    }
    const auto w = static_cast<double>(layer.weight.data<float>()[gone]);
    EXPECT_NEAR(scores.data<float>()[gone], w * w * schur, 1e-4 * w * w * schur);
  }
}

TEST_F(WeightScoresTest, RandomOnesDependOnTheKeyAlone) {
  const Tensor one = ScoresOf(MaskScore::kRandom, weight_, {.key = {.seed = 1}});
  ExpectBitEqual(one, ScoresOf(MaskScore::kRandom, Tensor::Zeros({2, 2}), {.key = {.seed = 1}}));
  EXPECT_NE(one.data<float>()[0], ScoresOf(MaskScore::kRandom, weight_, {.key = {.seed = 2}}).data<float>()[0]);
}

TEST_F(WeightScoresTest, SayWhatTheyNeed) {
  for (const MaskScore score : MaskScores()) {
    SCOPED_TRACE(NameOf(score));
    const ScoreNeeds needs = NeedsOf(score);
    if (!needs.inputs && !needs.gradients) {
      EXPECT_NO_THROW(ScoresOf(score, weight_, {}));
      continue;
    }
    EXPECT_ERROR(ScoresOf(score, weight_, {}, "fc"), ErrorKind::kInvalidInput,
                 HasSubstr("fc: scores of " + std::string(NameOf(score)) + " need "));
  }
  InputStatistics features(2, InputStatistics::Extent::kFeatures), three(3, InputStatistics::Extent::kGram);
  EXPECT_ERROR(ScoresOf(MaskScore::kWanda, weight_, {.inputs = &features}), ErrorKind::kInvalidInput,
               HasSubstr("need the linear's inputs"));  // No sample was added.
  features.Add(F32({1, 2}, {1, 2}), "x");
  EXPECT_ERROR(ScoresOf(MaskScore::kObs, weight_, {.inputs = &features}), ErrorKind::kInvalidInput,
               HasSubstr("need a Gram matrix"));
  three.Add(F32({1, 2, 3}, {1, 3}), "x");
  EXPECT_ERROR(ScoresOf(MaskScore::kWanda, weight_, {.inputs = &three}), ErrorKind::kInvalidInput,
               HasSubstr("with inputs of 3 features"));
  GradientStatistics other({3, 2});
  other.Add(Tensor::Zeros({3, 2}), "g");
  EXPECT_ERROR(ScoresOf(MaskScore::kGradient, weight_, {.gradients = &other}), ErrorKind::kInvalidInput,
               HasSubstr("with gradients of shape [3, 2]"));
  Tensor bad = weight_.Clone();
  bad.mutable_data<float>()[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_ERROR(ScoresOf(MaskScore::kMagnitude, bad, {}, "fc"), ErrorKind::kRuntimeFailure,
               HasSubstr("fc: element [1, 1] is nan"));
  EXPECT_ERROR(gradients_.Add(bad, "fc"), ErrorKind::kRuntimeFailure,
               HasSubstr("fc: element 3 of the gradient of sample 2 is nan"));
}

/// Each function checks what it is given, not only ScoresOf.
TEST_F(WeightScoresTest, EachSaysWhatDoesNotFit) {
  const Tensor wide = Tensor::Zeros({2, 3});
  const InputStatistics none(3, InputStatistics::Extent::kGram);
  const GradientStatistics no_gradients({2, 3});
  const std::function<Tensor(const Tensor&, const InputStatistics&)> by_inputs[] = {
      [](const Tensor& w, const InputStatistics& inputs) { return ActivationScores(w, inputs, "fc"); },
      [](const Tensor& w, const InputStatistics& inputs) { return WandaScores(w, inputs, "fc"); },
      [](const Tensor& w, const InputStatistics& inputs) { return HessianScores(w, inputs, "fc"); },
      [](const Tensor& w, const InputStatistics& inputs) { return ObsScores(w, inputs, 0.01, "fc"); },
      [this](const Tensor& w, const InputStatistics& inputs) { return GblmScores(w, inputs, gradients_, 1, "fc"); }};
  for (const auto& score : by_inputs) {
    EXPECT_NO_THROW(score(weight_, inputs_));
    EXPECT_ERROR(score(wide, inputs_), ErrorKind::kInvalidInput,
                 HasSubstr("fc: shape [2, 3] with inputs of 2 features"));
    EXPECT_ERROR(score(wide, none), ErrorKind::kInvalidInput, HasSubstr("need the linear's inputs"));
    EXPECT_ERROR(score(weight_.To(DType::kF64), inputs_), ErrorKind::kInvalidInput, HasSubstr("fc"));
  }
  EXPECT_ERROR(GradientScores(wide, gradients_, "fc"), ErrorKind::kInvalidInput,
               HasSubstr("fc: shape [2, 3] with gradients of shape [2, 2]"));
  EXPECT_ERROR(GradientScores(wide, no_gradients, "fc"), ErrorKind::kInvalidInput,
               HasSubstr("need gradients of the weight"));
  InputStatistics three(3, InputStatistics::Extent::kFeatures);
  three.Add(F32({1, 2, 3}, {1, 3}), "x");
  EXPECT_ERROR(GblmScores(wide, three, gradients_, 1, "fc"), ErrorKind::kInvalidInput,
               HasSubstr("fc: shape [2, 3] with gradients of shape [2, 2]"));
}

TEST_F(WeightScoresTest, SayWhatNoFloatCanHold) {
  const Tensor large = F32({2, -1, 1e20f, 0.5}, {2, 2});
  for (const MaskScore score : {MaskScore::kHessian, MaskScore::kObs}) {
    EXPECT_ERROR(ScoresOf(score, large, {.inputs = &inputs_}, "fc"), ErrorKind::kRuntimeFailure,
                 HasSubstr("fc: scores of " + std::string(NameOf(score)) + " overflow: that of element [1, 0]"));
  }
  EXPECT_NO_THROW(ScoresOf(MaskScore::kWanda, large, {.inputs = &inputs_}, "fc"));
  InputStatistics loud(2, InputStatistics::Extent::kFeatures);
  for (int i = 0; i < 4; ++i) loud.Add(F32({1, 3e38f}, {1, 2}), "x");
  EXPECT_ERROR(ScoresOf(MaskScore::kWanda, weight_, {.inputs = &loud}, "fc"), ErrorKind::kRuntimeFailure,
               HasSubstr("fc: the norm of feature 1 of its inputs is 6e+38"));
}

TEST(MaskScoreTest, NamesAreDistinct) {
  std::set<std::string_view> names;
  for (const MaskScore score : MaskScores()) names.insert(NameOf(score));
  EXPECT_EQ(names.size(), MaskScores().size());
  EXPECT_EQ(MaskScores().size(), 9u);
}

}  // namespace
}  // namespace twofour::sparse
