// Recipes in the training loop: the same bits after a resume and for any number of threads, and telemetry.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "twofour/nn/residual_mlp.h"
#include "twofour/nn/state_dict.h"
#include "twofour/optim/adamw.h"
#include "twofour/optim/sgd.h"
#include "twofour/train/classification.h"
#include "twofour/train/trainer.h"

#include "tests/support/tensors.h"
#include "tests/train/classification_job.h"

namespace twofour::train {
namespace {

using nn::MaskedDecay;
using nn::SemiSparseOptions;
using sparse::Mask;
using sparse::MaskMethod;
using sparse::MaskPlan;
using sparse::ScheduleShape;
using sparse::SparsitySchedule;
using test::MakeData;
using test::ScopedNumThreads;

constexpr int64_t kSteps = 12;

struct Recipe {
  std::string name;
  SemiSparseOptions options;
};

std::vector<Recipe> Recipes() {
  const SparsitySchedule cubic({.shape = ScheduleShape::kCubic, .begin_step = 1, .end_step = 9});
  using Place = MaskedDecay::Place;
  return {
      {"cubic schedule", {.plan = MaskPlan({.schedule = cubic})}},
      {"random order and masks",
       {.plan = MaskPlan({.method = MaskMethod::kRandom, .schedule = cubic, .order = sparse::TileOrder::kRandom}),
        .interval = 2,
        .key = {.seed = 3, .stream = 77}}},
      {"N-decay", {.plan = MaskPlan({.stages = {{2, 3}, {6, 2}}, .nested_stages = true}), .interval = 2}},
      {"freeze", {.interval = 2, .freeze_step = 6, .freeze_gradient = true}},
      {"freeze at the end of the warm-up", {.plan = MaskPlan({.first_sparse_step = 5}), .freeze_step = 5}},
      {"dense phases", {.plan = MaskPlan({.first_sparse_step = 3, .dense_from_step = 9})}},
      {"growing interval", {.interval_growth = 0.4}},
      {"SR-STE", {.masked_decay = {.lambda = 0.1, .place = Place::kGradient}}},
      {"decay in the moments", {.interval = 4, .masked_decay = {.lambda = 0.1, .place = Place::kMoments}}},
      {"decay of the weight", {.interval = 4, .masked_decay = {.lambda = 0.1, .place = Place::kWeight}}},
      {"S-STE", {.plan = MaskPlan({.method = MaskMethod::kRows, .first_sparse_step = 2}), .soft_threshold = true}},
      {"masks for show", {.interval = 3, .apply = false}},
  };
}

class Job {
 public:
  explicit Job(const SemiSparseOptions& sparsity, TrainerOptions options = {}, TrainerServices services = {},
               double sgd_lr = 0) {
    Generator generator(5);
    model_ = std::make_unique<nn::ResidualMlp>(
        nn::ResidualMlpOptions{
            .in_features = 16, .width = 16, .hidden_features = 32, .num_blocks = 1, .out_features = 4},
        generator);
    nn::SwapLinearWithSemiSparseLinear(*model_, {.include = ".*mlp.*", .sparsity = sparsity});
    optimizer_ = std::make_unique<optim::AdamW>(optim::DecayMatricesOnly(model_->NamedParameters(), 0.01),
                                                optim::AdamWOptions{.lr = 2e-2});
    if (sgd_lr > 0) {
      optimizer_ = std::make_unique<optim::Sgd>(model_->Parameters(), optim::SgdOptions{.lr = sgd_lr});
    }
    const double lr = sgd_lr > 0 ? sgd_lr : 2e-2;
    task_ = std::make_unique<ClassificationTask>(*model_, train_, eval_,
                                                 ClassificationOptions{.batch_size = 20, .eval_batch_size = 32});
    trainer_ = std::make_unique<Trainer>(*task_, *optimizer_, optim::ConstantLr(lr), options, services);
  }

  Trainer& trainer() { return *trainer_; }
  nn::Module& model() { return *model_; }

  /// The checkpoint that the trainer would save, without writing a file.
  CheckpointData Checkpoint() {
    CheckpointData data{nn::StateDict(*model_), optimizer_->StateDict(), trainer_->state()};
    for (auto* tensors : {&data.model, &data.optimizer}) {
      for (NamedTensor& named : *tensors) named.tensor = named.tensor.Detach().Clone();
    }
    return data;
  }

  /// Weights, masks and moments.
  std::vector<std::vector<float>> Outcome() {
    std::vector<std::vector<float>> outcome;
    for (const Tensor& parameter : model_->Parameters()) outcome.push_back(parameter.ToVector());
    for (const NamedTensor& slot : optimizer_->StateDict()) {
      if (slot.tensor.dtype() == DType::kF32) outcome.push_back(slot.tensor.ToVector());
    }
    for (const auto& [name, layer] : nn::FindSemiSparseLinears(*model_)) {
      outcome.push_back(sparse::ApplyMask(Tensor::Full(layer->weight().shape(), 1), layer->mask()).ToVector());
      outcome.push_back({static_cast<float>(layer->flip_rate())});
    }
    return outcome;
  }

 private:
  InMemoryDataset train_ = MakeData(200, 1), eval_ = MakeData(30, 2);
  std::unique_ptr<nn::ResidualMlp> model_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  std::unique_ptr<ClassificationTask> task_;
  std::unique_ptr<Trainer> trainer_;
};

TrainerOptions Options() {
  return {.steps = kSteps, .accumulate_steps = 2, .clip_grad_norm = 0.5, .eval_every_steps = 5, .log_every_steps = 4};
}

std::vector<std::vector<float>> RunToTheEnd(const SemiSparseOptions& sparsity) {
  Job job(sparsity, Options());
  job.trainer().Run();
  return job.Outcome();
}

TEST(TrainerRecipeTest, RecipesDiffer) {
  // Otherwise the tests below would compare a run with itself.
  std::vector<std::vector<std::vector<float>>> outcomes;
  for (const Recipe& recipe : Recipes()) outcomes.push_back(RunToTheEnd(recipe.options));
  for (size_t i = 0; i < outcomes.size(); ++i) {
    for (size_t j = 0; j < i; ++j)
      EXPECT_NE(outcomes[i], outcomes[j]) << Recipes()[i].name << ", " << Recipes()[j].name;
  }
}

/// The checkpoint of a run that was interrupted after `stop` steps.
CheckpointData CheckpointAt(int64_t stop, const SemiSparseOptions& sparsity, double* loss) {
  TrainerOptions options = Options();
  options.steps = stop;
  Job job(sparsity, options);
  job.trainer().Run();
  CheckpointData data = job.Checkpoint();
  *loss = job.trainer().Evaluate().loss;
  return data;
}

TEST(TrainerRecipeTest, AResumedRunEndsWithTheSameBits) {
  for (const Recipe& recipe : Recipes()) {
    const auto whole = RunToTheEnd(recipe.options);
    for (int64_t stop = 1; stop < kSteps; stop += 2) {
      double loss = 0;
      Job resumed(recipe.options, Options());
      resumed.trainer().Restore(CheckpointAt(stop, recipe.options, &loss), "checkpoint");
      const ScopedNumThreads other(1 + static_cast<int>(stop % 3));
      // An evaluation shows what was saved, and changes nothing.
      EXPECT_EQ(resumed.trainer().Evaluate().loss, loss) << recipe.name << " stopped at " << stop;
      resumed.trainer().Run();
      EXPECT_EQ(resumed.Outcome(), whole) << recipe.name << " stopped at " << stop;
    }
  }
}

TEST(TrainerRecipeTest, ThreadsDoNotChangeARun) {
  for (const Recipe& recipe : Recipes()) {
    const ScopedNumThreads one(1);
    const auto expected = RunToTheEnd(recipe.options);
    for (const int threads : {2, 3}) {
      const ScopedNumThreads more(threads);
      EXPECT_EQ(RunToTheEnd(recipe.options), expected) << recipe.name << ", " << threads << " threads";
    }
  }
}

TEST(TrainerRecipeTest, DecayIsAddedWhereItsPlaceIsAndAtTheRateOfTheStep) {
  // The gradient is clipped to nearly zero, so a step consists of the decay that was not clipped.
  constexpr double kLr = 0.5, kLambda = 0.25;
  for (const MaskedDecay::Place place :
       {MaskedDecay::Place::kGradient, MaskedDecay::Place::kMoments, MaskedDecay::Place::kWeight}) {
    TrainerOptions options = Options();
    options.steps = 1;
    options.clip_grad_norm = 1e-9;
    Job job({.masked_decay = {.lambda = kLambda, .place = place}}, options, {}, kLr);
    const auto layers = nn::FindSemiSparseLinears(job.model());
    std::vector<Tensor> before;
    std::vector<Mask> masks;
    for (const auto& [name, layer] : layers) {
      before.push_back(layer->weight().Detach().Clone());
      masks.push_back(layer->mask());
    }
    job.trainer().Run();
    for (size_t i = 0; i < layers.size(); ++i) {
      const Tensor& weight = layers[i].layer->weight();
      for (int64_t at = 0; at < weight.numel(); ++at) {
        const bool decays =
            place != MaskedDecay::Place::kGradient && !masks[i].Keeps(at / weight.cols(), at % weight.cols());
        const double factor = decays ? 1 - kLr * kLambda : 1.0;
        ASSERT_NEAR(weight.data<float>()[at], factor * double{before[i].data<float>()[at]}, 1e-6) << layers[i].name;
      }
    }
  }
}

/// Computes what a trainer reports about the first layer, from that layer's weight, gradient and mask.
class CheckingSink : public MetricSink {
 public:
  void OnTrain(const TrainMetrics&) override {}
  void OnEval(const EvalMetrics&) override {}
  void OnActivation(const ActivationMetrics&) override {}

  void OnSparsity(const SparsityMetrics& metrics) override {
    if (metrics.layer != layers->front().name) return;
    SCOPED_TRACE(metrics.step);
    nn::SemiSparseLinear& layer = *layers->front().layer;
    const Mask mask = layer.mask();
    const int64_t rows = mask.rows(), cols = mask.cols();
    const float* w = layer.weight().data<float>();
    const std::vector<float> gradient = layer.weight().grad().ToVector();
    double kept_sum = 0, sum = 0, gradient_dropped = 0, gradient_sum = 0;
    int64_t dropped = 0, flips = 0, sevens = 0, dead_rows = 0, dead_columns = 0;
    std::vector<int> in_column(static_cast<size_t>(cols));
    for (int64_t row = 0; row < rows; ++row) {
      int in_row = 0;
      for (int64_t col = 0; col < cols; ++col) {
        const bool keeps = mask.Keeps(row, col);
        const double magnitude = std::fabs(double{w[row * cols + col]});
        sum += magnitude;
        kept_sum += keeps ? magnitude : 0;
        dropped += !keeps;
        in_row += keeps && magnitude > 0;
        in_column[col] += keeps && magnitude > 0;
        if (before_.empty()) continue;
        flips += keeps != before_.Keeps(row, col);
        // The gradient is from the passes with the previous mask. Clipping did not change its shares.
        const double slope = std::fabs(double{gradient[row * cols + col]});
        gradient_sum += slope;
        gradient_dropped += before_.Keeps(row, col) ? 0 : slope;
      }
      dead_rows += in_row == 0;
    }
    for (const int count : in_column) dead_columns += count == 0;
    for (int64_t tile = 0; tile < rows * cols / 16; ++tile) sevens += std::popcount(mask.tiles()[tile]) == 7;
    const auto entries = static_cast<double>(rows * cols);
    EXPECT_NEAR(metrics.retained_l1, kept_sum / sum, 1e-9);
    EXPECT_NEAR(metrics.sparsity, static_cast<double>(dropped) / entries, 1e-12);
    EXPECT_EQ(metrics.tiles_keeping_seven, sevens);
    EXPECT_EQ(metrics.dead_rows, dead_rows);
    EXPECT_EQ(metrics.dead_columns, dead_columns);
    if (!before_.empty()) {
      if (searches_every_step) {
        EXPECT_NEAR(metrics.flip_rate, static_cast<double>(flips) / entries, 1e-12);
      }
      EXPECT_NEAR(metrics.masked_gradient_share, gradient_dropped / gradient_sum, 1e-5);
    }
    before_ = mask;
    told.push_back(metrics);
  }

  const std::vector<nn::NamedSemiSparseLinear>* layers = nullptr;
  std::vector<SparsityMetrics> told;
  bool searches_every_step = true;  // If false, the reported flip rate is that of an earlier search.

 private:
  Mask before_;
};

TEST(TrainerRecipeTest, TelemetryIsWhatTheMasksAre) {
  const SparsitySchedule cubic({.shape = ScheduleShape::kCubic, .begin_step = 1, .end_step = 9});
  for (const auto& options : {SemiSparseOptions{.plan = MaskPlan({.schedule = cubic})},
                              SemiSparseOptions{.plan = MaskPlan({.method = MaskMethod::kGreedy})},
                              SemiSparseOptions{.plan = MaskPlan({.method = MaskMethod::kRows, .rows = {1, 16}})},
                              SemiSparseOptions{.apply = false}}) {
    CheckingSink sink;
    TrainerOptions every_step = Options();
    every_step.log_every_steps = 1;
    Job job(options, every_step, {.sink = &sink});
    const auto layers = nn::FindSemiSparseLinears(job.model());
    sink.layers = &layers;
    job.trainer().Run();
    ASSERT_EQ(sink.told.size(), static_cast<size_t>(kSteps));
    EXPECT_GT(sink.told.back().masked_gradient_share, 0.1);
    EXPECT_LT(sink.told.back().masked_gradient_share, 1);
    double flips = 0;
    for (const SparsityMetrics& metrics : sink.told) flips += metrics.flip_rate;
    EXPECT_GT(flips, 0);
  }
}

TEST(TrainerRecipeTest, TelemetryShowsThePhases) {
  CheckingSink sink;
  sink.searches_every_step = false;
  TrainerOptions every_step = Options();
  every_step.log_every_steps = 1;
  Job job({.plan = MaskPlan({.first_sparse_step = 3, .dense_from_step = 9})}, every_step, {.sink = &sink});
  const auto layers = nn::FindSemiSparseLinears(job.model());
  sink.layers = &layers;
  job.trainer().Run();
  for (const SparsityMetrics& metrics : sink.told) {
    // After step s, the mask is that of the next pass, but the gradient is from the previous pass.
    EXPECT_EQ(metrics.sparsity, metrics.step >= 3 && metrics.step < 9 ? 0.5 : 0.0) << metrics.step;
    EXPECT_EQ(metrics.masked_gradient_share > 0, metrics.step > 3 && metrics.step <= 9) << metrics.step;
  }
}

}  // namespace
}  // namespace twofour::train
