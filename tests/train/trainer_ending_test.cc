#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "twofour/core/ops/loss.h"
#include "twofour/nn/linear.h"
#include "twofour/optim/sgd.h"
#include "twofour/train/trainer.h"

#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"

namespace twofour::train {
namespace {

using test::TempDir;
using ::testing::_;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;

/// A linear that is trained on ones. A test sets the losses of its evaluations.
class ScriptedTask : public Task {
 public:
  explicit ScriptedTask(std::vector<double> losses) : losses_(std::move(losses)) {
    Generator generator(1);
    model_ = std::make_unique<nn::Linear>(nn::LinearOptions{.in_features = 4, .out_features = 4}, generator);
  }
  nn::Module& model() override { return *model_; }
  Tensor Loss(uint64_t) override { return MseLoss(model_->Forward(Tensor::Full({2, 4}, 1)), Tensor::Zeros({2, 4})); }
  EvalMetrics Evaluate() override { return {.loss = losses_.at(static_cast<size_t>(evaluations++))}; }
  std::string_view unit() const override { return "samples"; }
  int64_t units_per_batch() const override { return 2; }

  int64_t evaluations = 0;

 private:
  std::vector<double> losses_;
  std::unique_ptr<nn::Linear> model_;
};

/// The steps at which evaluations were recorded.
class EvaluationSteps : public MetricSink {
 public:
  void OnTrain(const TrainMetrics&) override {}
  void OnEval(const EvalMetrics& metrics) override { steps.push_back(metrics.step); }
  void OnSparsity(const SparsityMetrics&) override {}
  void OnActivation(const ActivationMetrics&) override {}

  std::vector<int64_t> steps;
};

/// Trains for 20 steps, evaluating after every second one.
struct Job {
  explicit Job(std::vector<double> losses, int64_t patience, CheckpointStore* store = nullptr,
               TrainerOptions options = {.steps = 20, .eval_every_steps = 2})
      : task(std::move(losses)), optimizer(task.model().Parameters(), {.lr = 0.01}) {
    options.stop_after_evaluations_without_gain = patience;
    trainer = std::make_unique<Trainer>(task, optimizer, optim::ConstantLr(0.01), options,
                                        TrainerServices{.sink = &sink, .checkpoints = store});
  }

  ScriptedTask task;
  optim::Sgd optimizer;
  EvaluationSteps sink;
  std::unique_ptr<Trainer> trainer;
};

TEST(TrainerEndingTest, StopsAfterSoManyEvaluationsInARowWithoutALowerLoss) {
  // An equal loss is no gain, and a gain resets the count.
  Job job({3, 2, 2, 2.5, 1, 1, 1.5, 1.2, 0, 0}, 3);
  EXPECT_TRUE(job.trainer->Run());
  EXPECT_TRUE(job.trainer->StoppedEarly());
  EXPECT_TRUE(job.trainer->Finished());
  EXPECT_EQ(job.trainer->state().step, 16);
  EXPECT_EQ(job.trainer->state().best_evaluation.step, 10);
  EXPECT_EQ(job.trainer->state().best_evaluation.loss, 1);
  EXPECT_EQ(job.trainer->state().best_evaluation.evaluations_since, 3);
}

TEST(TrainerEndingTest, OfOneStopsAtTheFirstEvaluationWithoutGain) {
  Job job({3, 3}, 1);
  EXPECT_TRUE(job.trainer->Run());
  EXPECT_EQ(job.trainer->state().step, 4);
}

TEST(TrainerEndingTest, ZeroNeverStops) {
  Job job(std::vector<double>(10, 1.0), 0);
  EXPECT_TRUE(job.trainer->Run());
  EXPECT_FALSE(job.trainer->StoppedEarly());
  EXPECT_EQ(job.trainer->state().step, 20);
}

TEST(TrainerEndingTest, TheLastStepIsNoEarlyStop) {
  Job job({1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 9);
  EXPECT_TRUE(job.trainer->Run());
  EXPECT_FALSE(job.trainer->StoppedEarly());
}

TEST(TrainerEndingTest, AResumedRunStopsWhereTheUninterruptedOneDoes) {
  const std::vector<double> losses{3, 2, 2.5, 1, 1, 1.5, 1.2, 0, 0, 0};
  for (const bool save_best : {true, false}) {
    for (const int64_t stop_at : {3, 4, 7, 9, 11, 13}) {
      const TempDir dir;
      CheckpointStore store(FileSystem::Default(), dir.path(), 1);
      TrainerOptions options{.steps = 20, .eval_every_steps = 2, .save_best = save_best};
      Job whole(losses, 3, nullptr, options);
      whole.trainer->Run();
      ASSERT_EQ(whole.trainer->state().step, 14);

      std::atomic<bool> stop{false};
      Job first(losses, 3, &store, options);
      // Ends the run there, as a signal does: without the evaluation that follows a last step.
      struct StopAt : EvaluationSteps {
        void OnTrain(const TrainMetrics& metrics) override { *stop = metrics.step == at; }
        std::atomic<bool>* stop = nullptr;
        int64_t at = 0;
      } sink;
      sink.stop = &stop;
      sink.at = stop_at;
      options.stop_after_evaluations_without_gain = 3;
      options.log_every_steps = 1;
      Trainer interrupted(first.task, first.optimizer, optim::ConstantLr(0.01), options,
                          {.sink = &sink, .checkpoints = &store, .stop = &stop});
      ASSERT_FALSE(interrupted.Run());
      ASSERT_EQ(interrupted.state().step, stop_at);

      Job resumed(losses, 3, &store, options);
      resumed.task.evaluations = stop_at / 2;  // These evaluations were made already.
      resumed.trainer->Restore(CheckpointStore::Load(FileSystem::Default(), *store.Newest()), "checkpoint");
      EXPECT_TRUE(resumed.trainer->Run());
      EXPECT_EQ(resumed.trainer->state().step, 14) << "stopped at " << stop_at;
      EXPECT_EQ(resumed.trainer->state().best_evaluation.step, 8);
    }
  }
}

TEST(TrainerEndingTest, ARunThatIsMadeLongerStopsWhereTheOneInOnePieceDoes) {
  // Losses at the steps 2, 4, and so on. Shorter runs may also end at odd steps, where the loss is `at_an_end`.
  const std::vector<double> losses{3, 2, 2.5, 1, 1, 1.5, 1.2, 0, 0, 0};
  Job whole(losses, 3);
  whole.trainer->Run();
  ASSERT_EQ(whole.trainer->state().step, 14);
  for (const double at_an_end : {0.5, 9.0}) {  // Better than all losses before the stop, and worse.
    for (const std::vector<int64_t>& ends : {std::vector<int64_t>{1, 3}, {9, 11, 13}, {7}, {8, 13}, {5, 6, 7, 8, 9}}) {
      SCOPED_TRACE(at_an_end);
      const TempDir dir;
      CheckpointStore store(FileSystem::Default(), dir.path(), 1);
      std::vector<int64_t> all = ends;
      all.push_back(20);
      int64_t step = 0;
      for (const int64_t end : all) {
        std::vector<double> script;
        for (int64_t at = step + 1; at <= end; ++at) {
          if (at % 2 == 0) script.push_back(losses[static_cast<size_t>(at / 2 - 1)]);
          if (at % 2 != 0 && at == end) script.push_back(at_an_end);
        }
        Job piece(script, 3, &store, {.steps = end, .eval_every_steps = 2});
        if (step > 0) piece.trainer->Restore(CheckpointStore::Load(FileSystem::Default(), *store.Newest()), "last");
        EXPECT_TRUE(piece.trainer->Run());
        EXPECT_EQ(piece.trainer->StoppedEarly(), end == 20) << end;
        step = end;
        const TrainerState& state = piece.trainer->state();
        if (at_an_end == 0.5) {
          // This is the best of all recorded evaluations, and its weights are there.
          EXPECT_EQ(state.best_evaluation.loss, state.best_loss);
          EXPECT_TRUE(store.Find(state.best_evaluation.step));
          const int64_t first_odd = *std::ranges::find_if(all, [](int64_t at) { return at % 2 != 0; });
          if (end >= first_odd) {
            EXPECT_EQ(state.best_evaluation.step, first_odd);
          }
        }
        if (end < 20) continue;
        EXPECT_EQ(state.step, 14);
        EXPECT_EQ(state.best_scheduled, whole.trainer->state().best_scheduled);
      }
    }
  }
}

TEST(TrainerEndingTest, WithMorePatienceAnEarlyStopIsGoneOnWith) {
  const TempDir dir;
  CheckpointStore store(FileSystem::Default(), dir.path(), 1);
  Job job({1, 2, 2}, 2, &store);
  job.trainer->Run();
  ASSERT_EQ(job.trainer->state().step, 6);
  const CheckpointData data = CheckpointStore::Load(FileSystem::Default(), dir / "last");

  Job same({}, 2, &store);
  same.trainer->Restore(data, "checkpoint");
  EXPECT_TRUE(same.trainer->StoppedEarly());
  EXPECT_TRUE(same.trainer->Run());
  EXPECT_EQ(same.task.evaluations, 0);
  EXPECT_EQ(same.trainer->last_evaluation_loss(), std::nullopt);

  Job more({2, 2}, 4, &store);
  more.trainer->Restore(data, "checkpoint");
  EXPECT_TRUE(more.trainer->Run());
  EXPECT_EQ(more.trainer->state().step, 10);
  EXPECT_EQ(more.trainer->last_evaluation_loss(), 2);
}

TEST(TrainerEndingTest, TheBestEvaluationIsKnownWhereItIsNotSaved) {
  const TempDir dir;
  CheckpointStore store(FileSystem::Default(), dir.path(), 1);
  Job job({2, 1, 3, 3, 3, 3, 3, 3, 3, 3}, 0, &store, {.steps = 20, .eval_every_steps = 2, .save_best = false});
  job.trainer->Run();
  EXPECT_EQ(job.trainer->state().best_evaluation.step, 4);
  EXPECT_EQ(job.trainer->state().best_step, 0);
  EXPECT_FALSE(FileSystem::Default().Exists(dir / "best"));
}

TEST(TrainerEndingTest, LossesOfALessSparseModelDoNotCompare) {
  const TempDir dir;
  CheckpointStore store(FileSystem::Default(), dir.path(), 1);
  const TrainerOptions options{.steps = 20, .eval_every_steps = 2, .compare_from_step = 9};
  Job job({1, 1, 1, 1, 5, 4, 4, 4, 0, 0}, 2, &store, options);
  EXPECT_TRUE(job.trainer->Run());
  EXPECT_EQ(job.trainer->state().step, 16);  // Steps 2 to 8 do not count for patience, either.
  EXPECT_EQ(job.trainer->state().best_evaluation.step, 12);
  EXPECT_EQ(job.trainer->state().best_step, 12);
  EXPECT_THAT(job.sink.steps, ::testing::ElementsAre(2, 4, 6, 8, 10, 12, 14, 16));
}

TEST(TrainerEndingTest, TheEndOfAShorterRunDoesNotCompareWithThatOfALongerOne) {
  const TempDir dir;
  CheckpointStore store(FileSystem::Default(), dir.path(), 1);
  Job job({3, 2, 1}, 0, &store, {.steps = 6, .eval_every_steps = 2, .compare_from_step = 9});
  EXPECT_TRUE(job.trainer->Run());
  EXPECT_EQ(job.trainer->state().best_evaluation.step, 6);  // The last one in any case.
  const CheckpointData data = CheckpointStore::Load(FileSystem::Default(), dir / "last");
  Job same({}, 0, nullptr, {.steps = 6, .eval_every_steps = 2, .compare_from_step = 9});
  same.trainer->Restore(data, "checkpoint");
  EXPECT_EQ(same.trainer->state().best_step, 6);
  Job longer({7, 6, 5, 8}, 0, &store, {.steps = 14, .eval_every_steps = 2, .compare_from_step = 9});
  longer.trainer->Restore(data, "checkpoint");
  EXPECT_TRUE(longer.trainer->Run());
  EXPECT_EQ(longer.trainer->state().best_evaluation.step, 12);
  EXPECT_EQ(longer.trainer->state().best_step, 12);
}

TEST(TrainerEndingTest, LossesBeforeAnotherSparsityDoNotCompare) {
  const TempDir dir;
  CheckpointStore store(FileSystem::Default(), dir.path(), 9);
  const TrainerOptions dense{.steps = 6, .eval_every_steps = 2};
  Job job({1, 2, 3}, 0, &store, dense);
  EXPECT_TRUE(job.trainer->Run());
  TrainerOptions sparse{.steps = 14, .eval_every_steps = 2};
  sparse.sparsity_id = "2:4";
  Job other({7, 6, 6.5, 8}, 0, &store, sparse);
  other.trainer->Restore(CheckpointStore::Load(FileSystem::Default(), dir / "last"), "checkpoint");
  EXPECT_EQ(other.trainer->state().best_step, 0);
  EXPECT_EQ(other.trainer->first_compared_step(), 7);
  EXPECT_TRUE(other.trainer->Run());
  EXPECT_EQ(other.trainer->state().best_step, 10);
  // Whatever happened since: an old checkpoint is one of a dense run, a new one knows since when it is sparse.
  for (const auto& [name, best, from] : {std::tuple("step-6", 0, 7), {"last", 10, 7}}) {
    Job again({}, 0, nullptr, sparse);
    again.trainer->Restore(CheckpointStore::Load(FileSystem::Default(), dir / name), "checkpoint");
    EXPECT_EQ(again.trainer->state().best_step, best) << name;
    EXPECT_EQ(again.trainer->first_compared_step(), from) << name;
  }
  // An earlier version's checkpoint does not say.
  CheckpointData data = CheckpointStore::Load(FileSystem::Default(), dir / "last");
  data.state.sparsity.reset();
  Job unknown({}, 0, nullptr, sparse);
  unknown.trainer->Restore(data, "checkpoint");
  EXPECT_EQ(unknown.trainer->state().best_step, 0);
  Job known_dense({}, 0, nullptr, {.steps = 14});
  known_dense.trainer->Restore(data, "checkpoint");
  EXPECT_EQ(known_dense.trainer->state().best_step, 10);
}

TEST(TrainerEndingTest, ABestStepWhoseCheckpointIsGoneGivesWayToTheBestOfThoseToCome) {
  const TempDir dir;
  CheckpointStore store(FileSystem::Default(), dir.path(), 1);
  const TrainerOptions half{.steps = 10, .eval_every_steps = 2};
  Job job({1, 0.5, 3, 3, 3}, 0, &store, half);
  job.trainer->Run();
  std::filesystem::remove_all(dir / "step-4");
  Job resumed({2, 1.5, 2, 2, 2}, 0, &store);
  resumed.trainer->Restore(CheckpointStore::Load(FileSystem::Default(), dir / "last"), "checkpoint");
  resumed.trainer->Run();
  EXPECT_EQ(resumed.trainer->state().best_step, 14);
  EXPECT_TRUE(store.Find(14));
  EXPECT_EQ(resumed.trainer->state().best_evaluation.step, 4);  // The best evaluation stays the same.
}

TEST(TrainerEndingTest, AnEvaluationBeforeTheFirstStepIsRecordedAndNeverTheBest) {
  Job job({0.1, 3, 2, 2, 2}, 2, nullptr, {.steps = 20, .eval_every_steps = 2, .evaluate_first = true});
  job.trainer->Run();
  EXPECT_THAT(job.sink.steps, ElementsAre(0, 2, 4, 6, 8));
  EXPECT_EQ(job.trainer->state().best_evaluation.step, 4);
  EXPECT_EQ(job.trainer->state().best_step, 4);
}

TEST(TrainerEndingTest, ANegativeNumberIsRefused) {
  EXPECT_ERROR(Job({}, -1), ErrorKind::kInvalidInput, HasSubstr("stop_after_evaluations_without_gain is -1"));
}

}  // namespace
}  // namespace twofour::train
