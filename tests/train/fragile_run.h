#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "twofour/core/ops/loss.h"
#include "twofour/nn/residual_mlp.h"
#include "twofour/nn/step_hook.h"
#include "twofour/nn/swap.h"
#include "twofour/optim/adamw.h"
#include "twofour/train/trainer.h"

#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"
#include "tests/train/ticking_clock.h"

namespace twofour::train {

inline constexpr int64_t kFragileSamples = 20, kFragileFeatures = 16, kFragileClasses = 4;
inline constexpr int kEvaluationBatches = 3;

/// Draws each batch anew. A batch, or the evaluation, fails where `before`, or `before_evaluation`, throws.
class FragileTask : public Task {
 public:
  explicit FragileTask(nn::Module& model) : model_(model) {}

  std::function<void(uint64_t number)> before = [](uint64_t) {};
  std::function<void()> before_evaluation = [] {};
  double evaluation_loss = std::numeric_limits<double>::quiet_NaN();  // NaN: the true one.

  nn::Module& model() override { return model_; }
  Tensor Loss(uint64_t number) override {
    // Called only after the forward pass, which may have found new masks, but before the backward pass.
    Tensor loss = LossOf(number);
    before(number);
    return loss;
  }
  EvalMetrics Evaluate() override {
    for (int batch = 0; batch < kEvaluationBatches; ++batch) {
      BeforeEvaluationBatch();
      before_evaluation();
    }
    return {.loss = std::isnan(evaluation_loss) ? LossOf(1'000'000).item() : evaluation_loss};
  }
  int64_t units_per_batch() const override { return kFragileSamples; }
  std::string_view unit() const override { return "samples"; }

 private:
  Tensor LossOf(uint64_t number) {
    Tensor inputs = Tensor::Empty({kFragileSamples, kFragileFeatures});
    FillNormal(inputs, 0, 1, {3, 1, number});
    std::vector<int32_t> labels;
    for (int64_t i = 0; i < kFragileSamples; ++i)
      labels.push_back(inputs.data<float>()[i * kFragileFeatures] > 0 ? 1 : 2);
    return CrossEntropyLoss(model_.Forward(inputs), Tensor::FromVector(labels, {kFragileSamples}));
  }

  nn::Module& model_;
};

struct RunSetup {
  int64_t checkpoint_every_steps = 3, keep = 2;
  double lr = 1e-2;
  bool evaluate_first = false;
  bool saves = true;
  std::vector<nn::StepHook*> hooks = {};
  std::function<double(double rate, int64_t step)> change_lr = [](double rate, int64_t) { return rate; };
};

/// A run with metrics and checkpoints in its own folder. It continues where the folder was left.
class FragileRun {
 public:
  explicit FragileRun(const std::filesystem::path& dir, const RunSetup& setup = {},
                      FileSystem& files = FileSystem::Default())
      : store_(files, dir, setup.keep), sink_(FileSystem::Default(), dir / "metrics.jsonl") {
    Generator generator(5);
    model_ = std::make_unique<nn::ResidualMlp>(nn::ResidualMlpOptions{.in_features = kFragileFeatures,
                                                                      .width = 16,
                                                                      .hidden_features = 32,
                                                                      .num_blocks = 2,
                                                                      .out_features = kFragileClasses,
                                                                      .dropout = 0.1},
                                               generator);
    nn::SwapLinearWithSemiSparseLinear(*model_, {.include = ".*mlp.*", .sparsity = {.interval = 3}});
    optimizer_ = std::make_unique<optim::AdamW>(optim::DecayMatricesOnly(model_->NamedParameters(), 0.01),
                                                optim::AdamWOptions{.lr = setup.lr});
    task_ = std::make_unique<FragileTask>(*model_);
    const TrainerOptions options{.steps = 12,
                                 .accumulate_steps = 2,
                                 .eval_every_steps = 4,
                                 .log_every_steps = 0,
                                 .checkpoint_every_steps = setup.checkpoint_every_steps,
                                 .evaluate_first = setup.evaluate_first};
    trainer_ = std::make_unique<Trainer>(
        *task_, *optimizer_, [setup](int64_t step) { return setup.change_lr(setup.lr, step); }, options,
        TrainerServices{.sink = &sink_,
                        .checkpoints = setup.saves ? &store_ : nullptr,
                        .clock = &clock_,
                        .hooks = setup.hooks,
                        .stop = &stop_});
    const auto newest = store_.Newest();
    if (!newest) return;
    trainer_->Restore(CheckpointStore::Load(FileSystem::Default(), *newest), "checkpoint");
    TruncateMetrics(dir / "metrics.jsonl", trainer_->state().step, trainer_->state().evaluation_pending);
    store_.PrepareToResume(trainer_->state());
  }

  Trainer& trainer() { return *trainer_; }
  CheckpointStore& store() { return store_; }
  FragileTask& task() { return *task_; }
  std::atomic<bool>& stop() { return stop_; }

 private:
  std::atomic<bool> stop_{false};
  test::TickingClock clock_;  // So that a run in one piece and a resumed one record the same seconds.
  CheckpointStore store_;
  JsonLinesSink sink_;
  std::unique_ptr<nn::ResidualMlp> model_;
  std::unique_ptr<optim::AdamW> optimizer_;
  std::unique_ptr<FragileTask> task_;
  std::unique_ptr<Trainer> trainer_;
};

inline void FailToRead() { throw Error("cannot read data: gone", ErrorKind::kRuntimeFailure); }

/// A run that fails, beside one without failures.
class TrainerFailureTest : public ::testing::Test {
 protected:
  /// Makes a run without failures, with every checkpoint that it could have saved.
  TrainerFailureTest() { FragileRun(whole_, {.checkpoint_every_steps = 1, .keep = 100}).trainer().Run(); }

  void ExpectSavedAsByTheWholeRun(int64_t step) {
    const std::string name = "step-" + std::to_string(step);
    for (const char* file : {"model.safetensors", "optimizer.safetensors", "trainer.json"}) {
      const std::string expected = test::ReadTextFile(whole_ / name / file);
      EXPECT_FALSE(expected.empty());
      EXPECT_EQ(test::ReadTextFile(dir_ / name / file), expected) << name << "/" << file;
    }
  }

  /// Continues where the failed run was left, and expects the end of the run without failures.
  void ExpectToEndAsTheWholeRun() {
    EXPECT_TRUE(FragileRun(dir_).trainer().Run());
    ExpectSavedAsByTheWholeRun(12);
    EXPECT_EQ(test::ReadTextFile(dir_ / "metrics.jsonl"), test::ReadTextFile(whole_ / "metrics.jsonl"));
    EXPECT_EQ(std::filesystem::read_symlink(dir_ / "best"), std::filesystem::read_symlink(whole_ / "best"));
  }

  void UseAnotherFolder() {
    dir_ += "x";
    std::filesystem::create_directory(dir_);
  }

  test::TempDir temp_;
  std::filesystem::path dir_ = MakeFolder("run"), whole_ = MakeFolder("whole");

 private:
  std::filesystem::path MakeFolder(const char* name) {
    std::filesystem::create_directory(temp_ / name);
    return temp_ / name;
  }
};

}  // namespace twofour::train
