// Masks that are chosen by scores while a layer is trained.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "twofour/core/ops.h"
#include "twofour/nn/forward_observer.h"
#include "twofour/nn/lora_linear.h"
#include "twofour/nn/semi_sparse_linear.h"
#include "twofour/nn/sparse_training.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/scores/weight_scores.h"

#include "tests/nn/load_buffers.h"
#include "tests/nn/recipe_layer.h"
#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using sparse::FindMask;
using sparse::Mask;
using sparse::MaskMethod;
using sparse::MaskPlan;
using sparse::MaskScore;
using test::kIn;
using test::kOut;
using test::MakeLayer;
using test::RandomF32;
using test::ScopedNumThreads;
using ::testing::HasSubstr;

constexpr int64_t kRows = 6, kPasses = 2;

/// Pass `pass` of step `step`, counted through.
uint64_t Number(int64_t step, int64_t pass) { return static_cast<uint64_t>(step * kPasses + pass); }

/// Inputs whose features differ in size and hang together.
Tensor InputOf(int64_t step, int64_t pass) {
  Tensor x = RandomF32({kRows, kIn}, {.seed = 4, .step = Number(step, pass)});
  for (int64_t i = 0; i < x.numel(); ++i) {
    float* const at = x.mutable_data<float>() + i;
    *at *= static_cast<float>(1 + i % kIn * 5 % 7);
    if (i % kIn % 4 != 0) *at += 0.7f * at[-1];
  }
  return x;
}

Tensor OutputGradientOf(int64_t step, int64_t pass) {
  return RandomF32({kRows, kOut}, {.seed = 5, .step = Number(step, pass)});
}

/// Makes one optimizer step of several passes. What happens to the gradient after AfterBackward must not count.
void Train(SemiSparseLinear& layer, SparseTraining& training, int64_t step) {
  training.BeforeStep({.step = step});
  Tensor weight = layer.weight();
  weight.ZeroGrad();
  {
    ForwardObserver* const observer = training.Observer({.step = step});
    const auto scope = observer == nullptr ? nullptr : std::make_unique<ForwardObserverScope>(*observer);
    for (int64_t pass = 0; pass < kPasses; ++pass) {
      layer.Forward(InputOf(step, pass)).Backward(OutputGradientOf(step, pass));
    }
  }
  layer.Forward(RandomF32({kRows, kIn}, {.seed = 6}));  // As in an evaluation: nobody looks.
  training.AfterBackward({.step = step});
  Tensor grad = weight.grad();
  if (grad.defined()) FillUniform(grad, -1, 1, {.seed = 7});  // As clipping changes it.
  FillUniform(weight, -1, 1, {.seed = 99, .step = static_cast<uint64_t>(step)});
  training.AfterUpdate({.step = step});
}

using Numbers = std::vector<double>;

/// The inverse, by Gauss and Jordan. The matrix is positive definite, so no rows are exchanged.
Numbers InverseOf(Numbers a, int64_t n) {
  Numbers inverse(a.size());
  for (int64_t i = 0; i < n; ++i) inverse[static_cast<size_t>(i * n + i)] = 1;
  const auto at = [n](Numbers& m, int64_t row, int64_t col) -> double& {
    return m[static_cast<size_t>(row * n + col)];
  };
  for (int64_t pivot = 0; pivot < n; ++pivot) {
    for (int64_t row = 0; row < n; ++row) {
      if (row == pivot) continue;
      const double factor = at(a, row, pivot) / at(a, pivot, pivot);
      for (int64_t col = 0; col < n; ++col) {
        at(a, row, col) -= factor * at(a, pivot, col);
        at(inverse, row, col) -= factor * at(inverse, pivot, col);
      }
    }
    const double scale = at(a, pivot, pivot);
    for (int64_t col = 0; col < n; ++col) {
      at(a, pivot, col) /= scale;
      at(inverse, pivot, col) /= scale;
    }
  }
  return inverse;
}

/// What scores are made of, from the passes that a layer has seen, in double.
class Seen {
 public:
  void Add(int64_t step) {
    Numbers products(kIn * kIn), magnitudes(kIn), gradient(kOut * kIn);
    for (int64_t pass = 0; pass < kPasses; ++pass) {
      const Tensor input = InputOf(step, pass), output_gradient = OutputGradientOf(step, pass);
      for (int64_t row = 0; row < kRows; ++row) {
        const float *const x = input.data<float>() + row * kIn, *const dy = output_gradient.data<float>() + row * kOut;
        for (int64_t i = 0; i < kIn; ++i) {
          magnitudes[static_cast<size_t>(i)] += std::fabs(double{x[i]}) / (kRows * kPasses);
          for (int64_t j = 0; j < kIn; ++j) products[static_cast<size_t>(i * kIn + j)] += double{x[i]} * double{x[j]};
          for (int64_t o = 0; o < kOut; ++o) gradient[static_cast<size_t>(o * kIn + i)] += double{dy[o]} * double{x[i]};
        }
      }
    }
    Average(products, products_);
    Average(magnitudes, magnitudes_);
    Numbers absolute, squares;
    for (const double g : gradient) {
      absolute.push_back(std::fabs(g));
      squares.push_back(g * g);
    }
    Average(absolute, gradient_magnitudes_);
    Average(squares, gradient_squares_);
  }

  Tensor Scores(MaskScore score, const Tensor& weight) const {
    if (score == MaskScore::kRandom) return sparse::RandomScores({kOut, kIn}, {.seed = 11, .stream = 12, .step = 2});
    const Numbers inverse = score == MaskScore::kObs ? InverseOf(Dampened(), kIn) : Numbers();
    Tensor scores = Tensor::Empty({kOut, kIn});
    for (int64_t i = 0; i < kOut * kIn; ++i) {
      scores.mutable_data<float>()[i] = static_cast<float>(ScoreOf(score, weight, i, inverse));
    }
    return scores;
  }

 private:
  static void Average(const Numbers& step, Numbers& average) {
    if (average.empty()) average = step;
    for (size_t i = 0; i < step.size(); ++i) average[i] = 0.9 * average[i] + 0.1 * step[i];
  }

  double Product(int64_t col) const { return products_.empty() ? 1 : products_[static_cast<size_t>(col * kIn + col)]; }

  Numbers Dampened() const {
    Numbers matrix = products_.empty() ? Numbers(kIn * kIn) : products_;
    double trace = 0;
    for (int64_t i = 0; i < kIn; ++i) trace += Product(i);
    for (int64_t i = 0; i < kIn; ++i) {
      matrix[static_cast<size_t>(i * kIn + i)] = Product(i) + 0.01 * trace / kIn;
    }
    return matrix;
  }

  double ScoreOf(MaskScore score, const Tensor& weight, int64_t i, const Numbers& inverse) const {
    const auto at = static_cast<size_t>(i);
    const int64_t row = i / kIn, col = i % kIn;
    const auto magnitude = [&](int64_t r, int64_t c) { return std::fabs(double{weight.data<float>()[r * kIn + c]}); };
    const double w = magnitude(row, col), norm = std::sqrt(Product(col));
    switch (score) {
      case MaskScore::kRia: {
        double row_sum = 0, column_sum = 0;
        for (int64_t c = 0; c < kIn; ++c) row_sum += magnitude(row, c);
        for (int64_t r = 0; r < kOut; ++r) column_sum += magnitude(r, col);
        return (w / row_sum + w / column_sum) * std::sqrt(norm);
      }
      case MaskScore::kActivation:
        return magnitudes_.empty() ? w : w * magnitudes_[static_cast<size_t>(col)];
      case MaskScore::kWanda:
        return w * norm;
      case MaskScore::kHessian:
        return w * w * Product(col) / 2;
      case MaskScore::kObs:
        return w * w / inverse[static_cast<size_t>(col * kIn + col)];
      case MaskScore::kGradient:
        return gradient_magnitudes_.empty() ? w : w * gradient_magnitudes_[at];
      case MaskScore::kGblm:
        return gradient_squares_.empty() ? w : w * norm + 100 * w * std::sqrt(gradient_squares_[at]);
      default:
        return w;
    }
  }

  Numbers products_, magnitudes_, gradient_magnitudes_, gradient_squares_;
};

SemiSparseOptions By(MaskScore score, const sparse::MaskPlanOptions& plan = {}) {
  return {.plan = MaskPlan(plan), .score = score, .key = {.seed = 11, .stream = 12}};
}

std::map<std::string, sparse::MaskPlanOptions> Plans() {
  const auto pattern = [](const char* text) {
    return sparse::MaskPlanOptions{.method = MaskMethod::kPattern, .pattern = *sparse::ReadPruningPattern(text)};
  };
  std::map<std::string, sparse::MaskPlanOptions> plans = {
      {"exact", {}},
      {"greedy", {.method = MaskMethod::kGreedy}},
      {"rows", {.method = MaskMethod::kRows}},
      {"vnm", {.method = MaskMethod::kVnm, .vnm = {.v = 4, .m = 8}}},
      {"gradual", pattern("unstructured:0.5")},
      {"blocks", pattern("block:4x4:0.5")}};
  plans["gradual"].schedule =
      sparse::SparsitySchedule({.shape = sparse::ScheduleShape::kCubic, .end_step = 3, .from = 0.25});
  plans["exact, gradual"].schedule =
      sparse::SparsitySchedule({.shape = sparse::ScheduleShape::kLinear, .end_step = 3, .from = 0.5});
  return plans;
}

TEST(ScoreMasksTest, AreThoseOfTheInputsAndGradientsSeen) {
  for (const auto& [name, plan] : Plans()) {
    for (const MaskScore score : sparse::MaskScores()) {
      SCOPED_TRACE(name + ", " + std::string(NameOf(score)));
      SemiSparseOptions options = By(score, plan);
      options.masked_decay = {.lambda = 0.5};  // It changes gradients, but not those that count.
      SemiSparseLinear layer = MakeLayer(options);
      SparseTraining training(layer);
      training.SetOptimizerStep(0);
      Seen seen;
      for (int64_t step = 0; step < 4; ++step) {
        const Mask expected = options.plan.Find(seen.Scores(score, layer.weight()), step, options.key, "expected");
        EXPECT_EQ(layer.mask(), expected) << "step " << step;
        Train(layer, training, step);
        seen.Add(step);
      }
      if (name == "exact" && score != MaskScore::kMagnitude) {
        EXPECT_NE(layer.mask(), FindMask(layer.weight(), MaskMethod::kExact)) << "the example does not tell them apart";
      }
    }
  }
}

TEST(ScoreMasksTest, ARestoredLayerGoesOnWithTheSameMasks) {
  for (const MaskScore score : sparse::MaskScores()) {
    SCOPED_TRACE(NameOf(score));
    SemiSparseOptions options = By(score);
    options.interval = 3;
    SemiSparseLinear whole = MakeLayer(options), part = MakeLayer(options);
    SparseTraining training(whole), resumed(part);
    for (int64_t step = 0; step < 2; ++step) Train(whole, training, step);
    test::LoadBuffers(part, whole.Buffers());
    Tensor weight = part.weight();
    weight.CopyFrom(whole.weight());
    const ScopedNumThreads scope(3);
    for (int64_t step = 2; step < 7; ++step) {
      Train(whole, training, step);
      Train(part, resumed, step);
      EXPECT_EQ(part.mask(), whole.mask()) << step;
    }
    const std::vector<NamedTensor> state = whole.Buffers(), other = part.Buffers();
    ASSERT_EQ(other.size(), state.size());
    for (size_t i = 0; i < state.size(); ++i) {
      if (state[i].name.find("put_") != std::string::npos || state[i].name.find("gradient") != std::string::npos) {
        test::ExpectBitEqual(other[i].tensor, state[i].tensor);
      }
    }
  }
}

TEST(ScoreMasksTest, NothingIsCollectedWhereItIsNotNeeded) {
  for (const MaskScore score : {MaskScore::kMagnitude, MaskScore::kGradient, MaskScore::kRandom}) {
    SemiSparseLinear layer = MakeLayer(By(score));
    EXPECT_EQ(SparseTraining(layer).Observer({}), nullptr) << NameOf(score);
  }
}

TEST(ScoreMasksTest, NothingIsCollectedOnceMasksAreFrozen) {
  SemiSparseOptions options = By(MaskScore::kGblm);
  options.freeze_step = 1;
  SemiSparseLinear layer = MakeLayer(options);
  SparseTraining training(layer);
  EXPECT_NE(training.Observer({}), nullptr);
  Train(layer, training, 0);
  Seen seen;
  seen.Add(0);
  EXPECT_EQ(layer.mask(), FindMask(seen.Scores(MaskScore::kGblm, layer.weight()), MaskMethod::kExact));
  const size_t buffers = layer.Buffers().size();
  const Tensor before = layer.Buffers().back().tensor;
  EXPECT_EQ(training.Observer({}), nullptr);
  Train(layer, training, 1);
  ASSERT_EQ(layer.Buffers().size(), buffers);
  test::ExpectBitEqual(layer.Buffers().back().tensor, before);
}

/// A step that fails leaves no trace: a checkpoint is written then.
TEST(ScoreMasksTest, AStepThatFailsDoesNotCount) {
  SemiSparseLinear layer = MakeLayer(By(MaskScore::kWanda));
  SparseTraining training(layer);
  {
    const ForwardObserverScope scope(*training.Observer({}));
    layer.Forward(RandomF32({kRows, kIn}, {.seed = 8}));
  }
  const size_t buffers = layer.Buffers().size();
  Train(layer, training, 0);
  Seen seen;
  seen.Add(0);
  EXPECT_EQ(layer.mask(), FindMask(seen.Scores(MaskScore::kWanda, layer.weight()), MaskMethod::kExact));
  EXPECT_EQ(layer.Buffers().size(), buffers + 1);
}

TEST(ScoreMasksTest, APassThatIsNotFiniteDoesNotCount) {
  SemiSparseLinear layer = MakeLayer(By(MaskScore::kWanda)), usual = MakeLayer(By(MaskScore::kWanda));
  for (SemiSparseLinear* const one : {&layer, &usual}) {
    SparseTraining training(*one);
    ForwardObserver* const observer = training.Observer({});
    {
      const ForwardObserverScope scope(*observer);
      one->Forward(InputOf(0, 0));
      Tensor broken = InputOf(0, 1);
      broken.mutable_data<float>()[3] = std::numeric_limits<float>::infinity();
      if (one == &layer) one->Forward(broken);
    }
    training.AfterBackward({});
  }
  test::ExpectBitEqual(layer.Buffers().back().tensor, usual.Buffers().back().tensor);
  EXPECT_EQ(layer.Buffers().back().name, "weight_mask_input_squares");
}

TEST(ScoreMasksTest, NotForMethodsThatIgnoreScores) {
  for (const MaskScore score : sparse::MaskScores()) {
    if (score == MaskScore::kMagnitude) continue;
    for (const MaskMethod method : {MaskMethod::kRandom, MaskMethod::kSignedGreedy}) {
      EXPECT_ERROR(MakeLayer(By(score, {.method = method})), ErrorKind::kInvalidInput,
                   HasSubstr("score is " + std::string(NameOf(score)) + ", expected magnitude beside"));
    }
    SemiSparseOptions soft = test::SoftOptions();
    soft.score = score;
    EXPECT_ERROR(MakeLayer(soft), ErrorKind::kInvalidInput, HasSubstr("beside soft_threshold"));
  }
}

TEST(ScoreMasksTest, AdaptedLayersScoreTheMergedWeight) {
  const auto make = [](MaskScore score) {
    return std::make_unique<LoraLinear>(RandomF32({kOut, kIn}, {.seed = 1}), Tensor(), By(score),
                                        LoraOptions{.rank = 2, .alpha = 2}, RandomKey{.seed = 3});
  };
  for (const MaskScore score : sparse::MaskScores()) {
    SCOPED_TRACE(NameOf(score));
    if (sparse::NeedsOf(score).gradients) {
      EXPECT_ERROR(make(score), ErrorKind::kInvalidInput, HasSubstr("expected one that needs no gradients"));
      continue;
    }
    const std::unique_ptr<LoraLinear> layer = make(score);
    SparseTraining training(*layer);
    Seen seen;
    for (int64_t step = 0; step < 2; ++step) {
      Train(*layer, training, step);
      seen.Add(step);
    }
    Tensor b = layer->lora_b();
    FillUniform(b, -1, 1, {.seed = 20});
    const Tensor merged = Add(layer->weight(), MatMul(b.Detach(), layer->lora_a().Detach()));
    EXPECT_EQ(layer->mask(), FindMask(seen.Scores(score, merged), MaskMethod::kExact));
  }
}

}  // namespace
}  // namespace twofour::nn
