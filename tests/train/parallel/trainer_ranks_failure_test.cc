// What becomes of training over ranks when one of them fails.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/train/parallel/agreement.h"

#include "tests/support/faulty_file_system.h"
#include "tests/train/classification_job.h"
#include "tests/train/fragile_run.h"
#include "tests/train/parallel/ranked_job.h"

namespace twofour::train {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr int kRanks = 4;

TrainerOptions Options() {
  return {.steps = 6,
          .accumulate_steps = 8,
          .shards = 4,
          .eval_every_steps = 3,
          .log_every_steps = 1,
          .checkpoint_every_steps = 2};
}

/// Trains on ranks, and collects what they throw.
class Ranks {
 public:
  explicit Ranks(const std::filesystem::path& folder, FileSystem& files = FileSystem::Default())
      : folder_(folder), files_(files) {}

  /// To be called on every rank before it trains.
  std::function<void(int rank, FragileTask& task)> prepare = [](int, FragileTask&) {};
  comm::ThreadNetworkOptions network = {.timeout_seconds = 30, .stack_bytes = size_t{8} << 20};
  std::atomic<bool> stops[kRanks] = {};
  std::function<void()> before_writing = {};  // Of the first rank.
  TrainerOptions options = Options();

  std::vector<std::string> Run(const std::filesystem::path& from = {}) {
    shared.assign(kRanks, 0);
    std::vector<std::string> messages(kRanks);
    comm::ThreadNetwork threads(kRanks, network);
    threads.RunAndCatch([&](comm::Communicator& rank) {
      const auto index = static_cast<size_t>(rank.rank());
      try {
        Train(rank, from);
      } catch (const Error& error) {
        messages[index] = error.what();
        shared[index] = IsShared(error, rank) ? 1 : 0;
        if (shared[index] == 0) throw;  // So that nobody waits for it.
      }
    });
    return messages;
  }

  std::vector<char> shared;  // Not bool: ranks are threads, and write side by side.

 private:
  void Train(comm::Communicator& rank, const std::filesystem::path& from) {
    Generator generator(5);
    nn::ResidualMlp model({.in_features = kFragileFeatures,
                           .width = 16,
                           .hidden_features = 32,
                           .num_blocks = 1,
                           .out_features = kFragileClasses},
                          generator);
    nn::SwapLinearWithSemiSparseLinear(model, {.include = ".*mlp.*"});
    optim::AdamW optimizer(optim::DecayMatricesOnly(model.NamedParameters(), 0.01), {.lr = 1e-2});
    FragileTask task(model);
    prepare(rank.rank(), task);
    const test::StoppedClock clock;
    std::optional<JsonLinesSink> sink;
    std::optional<CheckpointStore> store;
    TrainerServices services{.clock = &clock, .ranks = &rank, .stop = &stops[rank.rank()]};
    if (rank.rank() == 0) {
      std::filesystem::create_directories(folder_);
      services.sink = &sink.emplace(files_, folder_ / "metrics.jsonl");
      services.checkpoints = &store.emplace(files_, folder_, 10);
      services.before_writing = before_writing;
    }
    Trainer trainer(task, optimizer, optim::ConstantLr(1e-2), options, services);
    if (!from.empty()) trainer.Restore(CheckpointStore::Load(FileSystem::Default(), from), from.string());
    trainer.Run();
  }

  std::filesystem::path folder_;
  FileSystem& files_;
};

std::string ModelOf(const std::filesystem::path& checkpoint) {
  return test::ReadTextFile(checkpoint / "model.safetensors") +
         test::ReadTextFile(checkpoint / "optimizer.safetensors");
}

TEST(TrainerRanksFailureTest, ABatchThatOneRankCannotReadEndsAllWithACheckpoint) {
  const test::TempDir dir;
  Ranks whole(dir / "whole");
  EXPECT_THAT(whole.Run(), Each(""));

  Ranks broken(dir / "broken");
  // Step 4 has the micro-batches 32 to 39, and rank 2 the two from 36 on.
  broken.prepare = [](int, FragileTask& task) {
    task.before = [](uint64_t number) {
      if (number == 37) throw Error("the disk is gone");
    };
  };
  const std::vector<std::string> messages = broken.Run();
  EXPECT_THAT(messages, Each(StartsWith("step 5: rank 2 (thread 2): the disk is gone")));
  EXPECT_THAT(messages[0], HasSubstr("; the last checkpoint is " + (dir / "broken/step-4").string()));
  EXPECT_EQ(broken.shared, std::vector<char>(kRanks, 1));

  Ranks again(dir / "again");
  EXPECT_THAT(again.Run(dir / "broken/step-4"), Each(""));
  EXPECT_TRUE(ModelOf(dir / "again/step-6") == ModelOf(dir / "whole/step-6"));
}

TEST(TrainerRanksFailureTest, AFailureInAStepThatNoCheckpointIsDueForSavesTheStepBefore) {
  const test::TempDir dir;
  Ranks broken(dir / "broken");
  broken.prepare = [](int, FragileTask& task) {
    task.before = [](uint64_t number) {
      if (number == 24) throw Error("the disk is gone");  // Of step 3 the first, which is rank 0's.
    };
  };
  EXPECT_THAT(broken.Run(), Each(StartsWith("step 4: rank 0 (thread 0): the disk is gone")));
  EXPECT_TRUE(std::filesystem::exists(dir / "broken/step-3"));
}

TEST(TrainerRanksFailureTest, ADiskThatIsFullEndsAll) {
  const test::TempDir dir;
  test::FaultyFileSystem files;
  Ranks ranks(dir / "run", files);
  files.FailAfterBytes(30000);
  const std::vector<std::string> messages = ranks.Run();
  EXPECT_THAT(messages, Each(HasSubstr("rank 0 (thread 0): ")));
  EXPECT_EQ(ranks.shared, std::vector<char>(kRanks, 1));
}

TEST(TrainerRanksFailureTest, AFirstWriteThatFailsEndsAll) {
  for (const bool logs : {true, false}) {
    const test::TempDir dir;
    Ranks ranks(dir / "run");
    ranks.network.timeout_seconds = 5;
    ranks.before_writing = [] { throw Error("cannot replace the run", ErrorKind::kRuntimeFailure); };
    // What is written first: a record, or a checkpoint.
    if (!logs) ranks.options.log_every_steps = ranks.options.eval_every_steps = 0;
    EXPECT_THAT(ranks.Run(), Each(HasSubstr("rank 0 (thread 0): cannot replace the run"))) << logs;
    EXPECT_EQ(ranks.shared, std::vector<char>(kRanks, 1));
  }
}

TEST(TrainerRanksFailureTest, ALossThatIsNotFiniteEndsAllAlike) {
  const test::TempDir dir;
  Ranks ranks(dir / "run");
  ranks.prepare = [](int, FragileTask& task) { task.evaluation_loss = std::numeric_limits<double>::infinity(); };
  const std::vector<std::string> messages = ranks.Run();
  EXPECT_THAT(messages, Each(StartsWith("step 3: the evaluation loss is inf; all parameters are finite")));
  EXPECT_EQ(ranks.shared, std::vector<char>(kRanks, 1));
}

TEST(TrainerRanksFailureTest, OthersAreToldWhenARankDies) {
  for (const int64_t exchange : {0, 1, 5, 17, 40, 63, 90}) {
    const test::TempDir dir;
    Ranks ranks(dir / "run");
    ranks.network.deaths = {{.rank = 1, .exchange = exchange}};
    const std::vector<std::string> messages = ranks.Run();
    for (const std::string& message : messages) EXPECT_NE(message, "") << exchange;
    EXPECT_THAT(messages[0], HasSubstr("is gone")) << exchange;
    EXPECT_EQ(ranks.shared, std::vector<char>(kRanks, 0)) << exchange;
    // What is there is whole.
    if (!std::filesystem::exists(dir / "run")) continue;
    CheckpointStore store(FileSystem::Default(), dir / "run", 10);
    for (const int64_t step : store.Steps()) CheckpointStore::Load(FileSystem::Default(), store.PathOf(step));
  }
}

TEST(TrainerRanksFailureTest, AnyRankCanStopAll) {
  const test::TempDir dir;
  for (int stopped = 0; stopped < kRanks; ++stopped) {
    const std::filesystem::path folder = dir / std::to_string(stopped);
    Ranks ranks(folder);
    ranks.prepare = [&](int rank, FragileTask& task) {
      task.before = [&ranks, rank, stopped](uint64_t number) {
        if (rank == stopped && number >= 8) ranks.stops[rank] = true;
      };
    };
    EXPECT_THAT(ranks.Run(), Each(""));
    EXPECT_TRUE(std::filesystem::exists(folder / "step-2")) << stopped;
    EXPECT_FALSE(std::filesystem::exists(folder / "step-3")) << stopped;
  }
}

}  // namespace
}  // namespace twofour::train
