// The program as processes that mpirun has started.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "twofour/comm/launch.h"

#include "tests/train/program/cli/program_runner.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::ReadTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;

class MpirunTest : public test::ProgramRunner {
 protected:
  static constexpr const char* kMpirun = "mpirun --oversubscribe --allow-run-as-root";

  void SetUp() override {
    if (!comm::BuiltWithMpi() || std::system("mpirun --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "needs MPI";
    test::WriteTextFile(dir_ / "tiny.pbtxt", R"(
      model { residual_mlp { width: 16 hidden_features: 32 num_blocks: 1 } }
      data { glyphs { train_size: 64 eval_size: 32 } }
      training { steps: 20 batch_size: 4 accumulate_steps: 8 shards: 4 }
      sparsity { enabled: true }
      evaluation { every_steps: 10 }
      checkpoint { every_steps: 5 }
      logging { every_steps: 5 tensorboard: false }
      threads: 1
    )");
  }

  /// Starts the trainer on ranks. In `arguments`, "$out" is a folder of this name.
  std::unique_ptr<Process> Launch(int ranks, const std::string& arguments) {
    // Open MPI keeps some memory to the end, which is no fault of ours.
    return Shell(std::string("export ASAN_OPTIONS=detect_leaks=0; exec ") + kMpirun + " -n " + std::to_string(ranks) +
                 " \"$trainer\" " + arguments);
  }

  /// The processes that mpirun has started.
  std::vector<pid_t> Ranks(int count) {
    std::vector<pid_t> ranks;
    Await([&] {
      ranks.clear();
      for (const auto& entry : fs::directory_iterator("/proc")) {
        // The run's folder, which no other process has, is among their arguments.
        const std::string line = ReadTextFile(entry.path() / "cmdline");
        if (line.starts_with(kTrainer) && line.find(dir_.path().string()) != std::string::npos) {
          ranks.push_back(std::stoi(entry.path().filename()));
        }
      }
      return std::ssize(ranks) == count;
    });
    return ranks;
  }
};

TEST_F(MpirunTest, TrainsTheSameModel) {
  ASSERT_EQ(End(*Shell("exec \"$trainer\" --config tiny.pbtxt --out one")), 0) << Log();
  for (const int ranks : {2, 4}) {
    const std::string name = "with_" + std::to_string(ranks);
    ASSERT_EQ(End(*Launch(ranks, "--config tiny.pbtxt --out " + name)), 0) << Log();
    for (const char* file : {"model.safetensors", "checkpoints/step-20/optimizer.safetensors"}) {
      EXPECT_TRUE(ReadTextFile(dir_ / "one" / file) == ReadTextFile(dir_ / name / file)) << ranks << ": " << file;
    }
  }
}

TEST_F(MpirunTest, AMistakeIsOneLineOfOurs) {
  EXPECT_EQ(End(*Launch(3, "--config tiny.pbtxt --out x")), 2);
  const std::string log = Log();
  EXPECT_THAT(log, HasSubstr("trainer: config: training.shards: 4, expected a multiple of 3, the number of ranks\n"));
  EXPECT_EQ(log.find("trainer: "), log.rfind("trainer: "));
  EXPECT_FALSE(fs::exists(dir_ / "x"));
}

TEST_F(MpirunTest, ARankThatIsKilledEndsTheRunAndItGoesOn) {
  ASSERT_EQ(End(*Shell("exec \"$trainer\" --config tiny.pbtxt --set training.steps=30 --out one")), 0);
  const std::string steps = " --set training.steps=";
  const auto run = Launch(4, "--config tiny.pbtxt --out '" + Path("x") + "'" + steps + "10000000");
  ASSERT_TRUE(Await([&] { return fs::exists(dir_ / "x/checkpoints/step-5"); })) << Log();
  const std::vector<pid_t> ranks = Ranks(4);
  ASSERT_EQ(ranks.size(), 4u);
  const auto killed = std::chrono::steady_clock::now();
  kill(ranks[2], SIGKILL);
  EXPECT_NE(End(*run), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - killed, std::chrono::seconds(30));
  EXPECT_THAT(Log(), AllOf(HasSubstr("mpirun noticed that process rank "), HasSubstr("signal 9")));
}

TEST_F(MpirunTest, ASignalToOneRankStopsAll) {
  const auto run = Launch(2, "--config tiny.pbtxt --out '" + Path("x") + "' --set training.steps=10000000");
  ASSERT_TRUE(Await([&] { return fs::exists(dir_ / "x/checkpoints/step-5"); })) << Log();
  const std::vector<pid_t> ranks = Ranks(2);
  ASSERT_EQ(ranks.size(), 2u);
  kill(ranks[1], SIGTERM);
  EXPECT_EQ(End(*run), 128 + SIGTERM) << Log();
  EXPECT_THAT(Log(), HasSubstr("stopped after step "));
}

}  // namespace
}  // namespace twofour::train
