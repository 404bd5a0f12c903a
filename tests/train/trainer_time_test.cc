// How long a Trainer says that training took.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/nn/swap.h"
#include "twofour/sparse/mask.h"

#include "tests/support/expect_error.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"
#include "tests/train/classification_job.h"
#include "tests/train/ticking_clock.h"

namespace twofour::train {
namespace {

using test::FaultyFileSystem;
using test::Job;
using test::MockSink;
using test::ReadTextFile;
using test::ShortRun;
using test::TempDir;
using test::TickingClock;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::NiceMock;
using ::testing::Not;
using ::testing::Pair;

/// Stands still until somebody moves it on.
struct SettableClock final : Clock {
  double Seconds() const override { return time; }
  double time = 0;
};

/// A task that needs 2 s for each batch and 100 s for an evaluation.
class SlowTask final : public Task {
 public:
  SlowTask(Task& task, SettableClock& clock) : task_(task), clock_(clock) {}

  nn::Module& model() override { return task_.model(); }
  Tensor Loss(uint64_t number) override {
    clock_.time += 2;
    return task_.Loss(number);
  }
  EvalMetrics Evaluate() override {
    clock_.time += 100;
    return task_.Evaluate();
  }
  std::string_view unit() const override { return task_.unit(); }
  int64_t units_per_batch() const override { return task_.units_per_batch(); }

 private:
  Task& task_;
  SettableClock& clock_;
};

/// Needs a quarter of a second at either end of a step.
struct SlowHook final : nn::StepHook {
  explicit SlowHook(SettableClock& its_clock) : clock(its_clock) {}
  void BeforeStep(const nn::StepContext&) override { clock.time += 0.25; }
  void AfterStep(const nn::StepContext&) override { clock.time += 0.25; }
  SettableClock& clock;
};

/// Keeps the seconds of all records, by step.
class SecondsSink final : public MetricSink {
 public:
  void OnTrain(const TrainMetrics& metrics) override { Keep(metrics.step, metrics.training_seconds); }
  void OnEval(const EvalMetrics& metrics) override { Keep(metrics.step, metrics.training_seconds); }
  void OnSparsity(const SparsityMetrics&) override { on_record(); }
  void OnActivation(const ActivationMetrics&) override { on_record(); }

  std::function<void()> on_record = [] {};
  std::map<int64_t, double> seconds;
  int64_t without = 0;  // Number of records without seconds.

 private:
  void Keep(int64_t step, const std::optional<double>& known) {
    if (known) {
      const auto [found, added] = seconds.emplace(step, *known);
      EXPECT_EQ(found->second, *known) << "two records of step " << step;
    } else {
      ++without;
    }
    on_record();
  }
};

TEST(TrainerTimeTest, CountsStepsWithTheirHooksAndNothingBetweenThem) {
  const TempDir dir;
  SettableClock clock;
  SlowHook hook(clock);
  SecondsSink sink;
  sink.on_record = [&] { clock.time += 1000; };
  FaultyFileSystem files;
  files.Watch([&](const auto&) { clock.time += 10'000; });
  CheckpointStore store(files, dir.path(), 2);
  Job job;
  SlowTask task(job.task(), clock);
  TrainerOptions options = ShortRun();
  options.accumulate_steps = 2;
  options.checkpoint_every_steps = 3;
  options.evaluate_first = true;
  Trainer trainer(task, job.optimizer(), optim::ConstantLr(1e-2), options,
                  {.sink = &sink, .checkpoints = &store, .clock = &clock, .hooks = {&hook}});
  EXPECT_TRUE(trainer.Run());
  EXPECT_THAT(sink.seconds, ElementsAre(Pair(0, 0), Pair(4, 4 * 4.5), Pair(5, 5 * 4.5), Pair(8, 8 * 4.5),
                                        Pair(10, 10 * 4.5), Pair(12, 12 * 4.5)));
  EXPECT_EQ(sink.without, 0);
  EXPECT_EQ(CheckpointStore::Load(FileSystem::Default(), dir / "last").state.training_seconds, 12 * 4.5);
  EXPECT_GT(clock.time, 100'000);  // What is not counted took time by this clock.
}

TEST(TrainerTimeTest, AResumedRunGoesOnCountingWhereItsCheckpointIs) {
  SecondsSink whole;
  const TickingClock whole_clock;
  Job(ShortRun(), {}, {.sink = &whole, .clock = &whole_clock}).trainer().Run();
  ASSERT_EQ(whole.seconds.at(12), 12 * 0.5);
  // A run that was made up to step 9 and killed leaves its checkpoint of step 6. The last two steps are made again.
  const TempDir dir;
  CheckpointStore store(FileSystem::Default(), dir.path(), 10);
  TrainerOptions part = ShortRun();
  part.steps = 9;
  part.checkpoint_every_steps = 3;
  const TickingClock part_clock(1e3);
  Job(part, {}, {.checkpoints = &store, .clock = &part_clock}).trainer().Run();
  SecondsSink rest;
  const TickingClock rest_clock(7e6);  // Another start of the machine: a steady clock may begin anywhere.
  Job resumed(ShortRun(), {}, {.sink = &rest, .clock = &rest_clock});
  resumed.trainer().Restore(CheckpointStore::Load(FileSystem::Default(), dir / "step-6"), "checkpoint");
  resumed.trainer().Run();
  EXPECT_THAT(rest.seconds, ElementsAre(Pair(8, whole.seconds.at(8)), Pair(10, whole.seconds.at(10)),
                                        Pair(12, whole.seconds.at(12))));
}

TEST(TrainerTimeTest, SecondsThatAreNotKnownStayUnknown) {
  const TempDir dir;
  CheckpointStore store(FileSystem::Default(), dir.path(), 10);
  TrainerOptions part = ShortRun();
  part.steps = 6;
  Job(part, {}, {.checkpoints = &store}).trainer().Run();
  CheckpointData data = CheckpointStore::Load(FileSystem::Default(), dir / "step-6");
  EXPECT_TRUE(data.state.training_seconds);
  data.state.training_seconds.reset();
  SecondsSink sink;
  Job resumed(ShortRun(), {}, {.sink = &sink, .checkpoints = &store});
  resumed.trainer().Restore(data, "checkpoint");
  resumed.trainer().Run();
  EXPECT_THAT(sink.seconds, IsEmpty());
  EXPECT_EQ(sink.without, 4);  // Steps 8 and 12 of training, evaluations of 10 and 12.
  EXPECT_THAT(ReadTextFile(dir / "step-12/trainer.json"), Not(HasSubstr("training_seconds")));
}

TEST(TrainerTimeTest, RefusesSecondsThatNoRunTakes) {
  const TempDir dir;
  CheckpointStore store(FileSystem::Default(), dir.path(), 10);
  TrainerOptions part = ShortRun();
  part.steps = 6;
  Job(part, {}, {.checkpoints = &store}).trainer().Run();
  CheckpointData data = CheckpointStore::Load(FileSystem::Default(), dir / "step-6");
  for (const double seconds : {-1.0, std::numeric_limits<double>::infinity(), std::nan("")}) {
    data.state.training_seconds = seconds;
    Job resumed(ShortRun());
    EXPECT_ERROR(resumed.trainer().Restore(data, "there"), ErrorKind::kInvalidInput,
                 HasSubstr("there: training_seconds is "));
  }
}

/// Calls a function whenever somebody reads it.
struct WatchedClock final : Clock {
  double Seconds() const override {
    on_read();
    return 0;
  }
  std::function<void()> on_read = [] {};
};

// Records, evaluations and checkpoints use the masks of the next step. If they searched for them, a sparse run would
// seem faster than it is.
TEST(TrainerTimeTest, CountsTheSearchForMasks) {
  for (const int64_t interval : {1, 2}) {
    const TempDir dir;
    WatchedClock clock;
    SecondsSink sink;
    FaultyFileSystem files;
    CheckpointStore store(files, dir.path(), 2);
    const TrainerOptions options{
        .steps = 12, .eval_every_steps = 4, .log_every_steps = 2, .checkpoint_every_steps = 6, .save_best = false};
    Job job(options, {.interval = interval}, {.sink = &sink, .checkpoints = &store, .clock = &clock});
    const auto masks = [layers = nn::FindSemiSparseLinears(job.model())] {
      std::vector<sparse::Mask> found;
      for (const auto& [name, layer] : layers) found.push_back(layer->mask_in_force());
      return found;
    };
    std::vector<sparse::Mask> at_last_reading;
    int readings = 0, changes = 0, comparisons = 0;
    clock.on_read = [&] {
      changes += ++readings % 2 == 0 && masks() != at_last_reading ? 1 : 0;
      at_last_reading = masks();
    };
    const auto compare = [&] {
      ++comparisons;
      EXPECT_EQ(masks(), at_last_reading) << "interval " << interval;
    };
    sink.on_record = compare;
    files.Watch([&](const auto&) { compare(); });
    job.trainer().Run();
    EXPECT_EQ(readings, 2 * 12);
    EXPECT_GT(changes, 12 / interval / 2);  // Masks change within what is counted.
    EXPECT_GT(comparisons, 6 + 3 + 2);
  }
}

}  // namespace
}  // namespace twofour::train
