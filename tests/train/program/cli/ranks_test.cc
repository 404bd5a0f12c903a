// The program on several ranks, which are threads of this process.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "twofour/comm/thread_network.h"
#include "twofour/core/parallel.h"
#include "twofour/train/program/cli/app.h"

#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::ReadTextFile;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

struct Outcome {
  int code = -1;
  std::string out, err;
};

class RanksTest : public ::testing::Test {
 protected:
  RanksTest() {
    WriteTextFile(dir_ / "tiny.pbtxt", R"(
      model { residual_mlp { width: 16 hidden_features: 32 num_blocks: 1 } }
      data { glyphs { train_size: 64 eval_size: 32 } }
      training { steps: 6 batch_size: 4 accumulate_steps: 8 shards: 4 }
      sparsity { enabled: true }
      evaluation { every_steps: 3 batch_size: 5 }
      checkpoint { every_steps: 2 }
      logging { every_steps: 2 tensorboard: false }
      threads: 1
    )");
  }
  ~RanksTest() override { SetNumThreads(0); }

  std::string Path(const std::string& name) const { return (dir_ / name).string(); }

  /// Runs the program on ranks, rank i with the arguments that `arguments` gives for it.
  std::vector<Outcome> Run(int ranks, const std::function<std::vector<std::string>(int rank)>& arguments) {
    std::vector<Outcome> outcomes(static_cast<size_t>(ranks));
    comm::ThreadNetwork network(ranks, {.timeout_seconds = 20, .stack_bytes = size_t{8} << 20});
    network.Run([&](comm::Communicator& rank) {
      const std::vector<std::string> words = arguments(rank.rank());
      std::vector<const char*> argv{"trainer"};
      for (const std::string& word : words) argv.push_back(word.c_str());
      std::ostringstream out, err;
      const int code = RunTrainer(static_cast<int>(argv.size()), argv.data(), out, err, false,
                                  stops_[static_cast<size_t>(rank.rank())], rank);
      outcomes[static_cast<size_t>(rank.rank())] = {code, out.str(), err.str()};
    });
    return outcomes;
  }
  std::vector<Outcome> Run(int ranks, const std::vector<std::string>& arguments) {
    return Run(ranks, [&arguments](int) { return arguments; });
  }
  std::vector<std::string> Training(const std::string& out, std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"--config", Path("tiny.pbtxt"), "--out", Path(out)});
    return more;
  }

  void ExpectSameRuns(const std::string& a, const std::string& b) {
    for (const char* file : {"model.safetensors", "config.pbtxt", "data.json", "checkpoints/step-6/model.safetensors",
                             "checkpoints/step-6/optimizer.safetensors", "checkpoints/step-4/model.safetensors"}) {
      ASSERT_TRUE(fs::exists(dir_ / a / file)) << file;
      EXPECT_TRUE(ReadTextFile(dir_ / a / file) == ReadTextFile(dir_ / b / file)) << a << ", " << b << ": " << file;
    }
  }

  /// All ranks end with this code. The first one alone says why, in one line. Nothing is written.
  void ExpectRefused(const std::vector<Outcome>& outcomes, const ::testing::Matcher<std::string>& message) {
    for (const Outcome& outcome : outcomes) EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_THAT(outcomes[0].err, AllOf(StartsWith("trainer: "), message));
    EXPECT_EQ(std::count(outcomes[0].err.begin(), outcomes[0].err.end(), '\n'), 1) << outcomes[0].err;
    EXPECT_THAT(outcomes[0].out, IsEmpty());
    for (size_t rank = 1; rank < outcomes.size(); ++rank) EXPECT_THAT(outcomes[rank].err, IsEmpty());
    EXPECT_FALSE(fs::exists(dir_ / "x"));
  }

  test::TempDir dir_;
  StopRequest stops_[8];
};

TEST_F(RanksTest, TrainTheSameModel) {
  ASSERT_EQ(Run(1, Training("one"))[0].code, 0);
  for (const int ranks : {2, 4}) {
    const std::string name = "with_" + std::to_string(ranks);
    const std::vector<Outcome> outcomes = Run(ranks, Training(name));
    EXPECT_THAT(outcomes, Each(Field(&Outcome::code, 0))) << outcomes[0].err;
    EXPECT_THAT(outcomes[0].out, AllOf(HasSubstr("ranks       " + std::to_string(ranks) + ", with "),
                                       HasSubstr("\nsent by each rank: "), HasSubstr("\nstep 6/6 ")));
    EXPECT_THAT(outcomes[1].out + outcomes[1].err, IsEmpty());
    ExpectSameRuns("one", name);
  }
}

TEST_F(RanksTest, GoOnInOtherNumbers) {
  ASSERT_EQ(Run(1, Training("one"))[0].code, 0);
  ASSERT_EQ(Run(4, Training("four", {"--set", "training.steps=4"}))[0].code, 0);
  const std::vector<Outcome> outcomes =
      Run(2, std::vector<std::string>{"--resume", Path("four"), "--set", "training.steps=6"});
  EXPECT_THAT(outcomes, Each(Field(&Outcome::code, 0))) << outcomes[0].err;
  ExpectSameRuns("one", "four");
  // There is nothing left to train.
  const std::vector<Outcome> again = Run(2, std::vector<std::string>{"--resume", Path("four")});
  EXPECT_THAT(again, Each(Field(&Outcome::code, 0)));
  EXPECT_THAT(again[0].out, HasSubstr("nothing to train"));
}

TEST_F(RanksTest, OneOfThemThatIsAskedToStopStopsAll) {
  stops_[1].signal = 15;
  stops_[1].stop = true;
  const std::vector<Outcome> outcomes = Run(2, Training("x"));
  EXPECT_THAT(outcomes, Each(Field(&Outcome::code, 128 + 15))) << outcomes[0].err;
  EXPECT_THAT(outcomes[0].out, HasSubstr("stopped after step 1; go on with: trainer --resume "));
  EXPECT_TRUE(fs::exists(dir_ / "x/checkpoints/step-1"));
  stops_[1].stop = false;
  EXPECT_EQ(Run(1, std::vector<std::string>{"--resume", Path("x")})[0].code, 0);
  ASSERT_EQ(Run(1, Training("one"))[0].code, 0);
  EXPECT_TRUE(ReadTextFile(dir_ / "x/model.safetensors") == ReadTextFile(dir_ / "one/model.safetensors"));
}

TEST_F(RanksTest, RefuseWhatIsWrongInOneLine) {
  ExpectRefused(Run(3, Training("x")), HasSubstr("training.shards: 4, expected a multiple of 3, the number of ranks"));
  ExpectRefused(Run(2, Training("x", {"--set", "training.shards=3"})),
                HasSubstr("training.shards: 3, expected a number that divides the 8 micro-batches of a step"));
  ExpectRefused(Run(2, Training("x", {"--set", "training.stepz=3"})), HasSubstr("unknown field 'stepz'"));
  ExpectRefused(Run(2, Training("x", {"--no-such"})), HasSubstr("--no-such"));
  ExpectRefused(Run(2, std::vector<std::string>{"prune", "--run", Path("y")}),
                HasSubstr("prune runs in one process, but the launcher has started 2"));
  ExpectRefused(Run(2, std::vector<std::string>{"--resume", Path("y")}), HasSubstr("y"));
  ExpectRefused(Run(2, std::vector<std::string>{"trane"}), HasSubstr("'trane' is no command"));
}

TEST_F(RanksTest, RefuseToTrainDifferentThings) {
  const auto differ = [this](const std::vector<std::string>& of_first, const std::vector<std::string>& of_others) {
    return Run(2, [&](int rank) { return Training("x", rank == 0 ? of_first : of_others); });
  };
  ExpectRefused(differ({"--seed", "1"}, {"--seed", "2"}),
                HasSubstr("rank 1 (thread 1): arguments: '2', expected '1', as on rank 0 (thread 0)"));
  ExpectRefused(differ({}, {"--dry-run"}), HasSubstr("arguments: '--dry-run', expected nothing, as on rank 0"));
  ExpectRefused(differ({"--dry-run"}, {}), HasSubstr("arguments: nothing, expected '--dry-run', as on rank 0"));
  ExpectRefused(differ({"--help"}, {"--version"}), HasSubstr("arguments: '--version', expected '--help'"));
  ExpectRefused(differ({}, {"--out", Path("y")}), HasSubstr("arguments: '--out', expected nothing"));
  ExpectRefused(Run(2,
                    [this](int rank) -> std::vector<std::string> {
                      if (rank == 1) return {"report", Path("y")};
                      return Training("x");
                    }),
                HasSubstr("arguments: 'report', expected '--config'"));
  // Only threads may differ.
  EXPECT_EQ(differ({"--threads", "1"}, {"--threads", "2"})[0].code, 0);
  fs::remove_all(dir_ / "x");
}

TEST_F(RanksTest, AFolderThatExistsIsRefusedByAll) {
  ASSERT_EQ(Run(2, Training("there"))[0].code, 0);
  const std::string model = ReadTextFile(dir_ / "there/model.safetensors");
  ExpectRefused(Run(2, Training("there")), HasSubstr(Path("there")));
  EXPECT_EQ(ReadTextFile(dir_ / "there/model.safetensors"), model);
  EXPECT_THAT(Run(2, Training("there", {"--overwrite"})), Each(Field(&Outcome::code, 0)));
}

TEST_F(RanksTest, EvaluateTogether) {
  ASSERT_EQ(Run(1, Training("one"))[0].code, 0);
  const std::vector<std::string> evaluate{"evaluate", "--run", Path("one"), "--json"};
  const std::string alone = Run(1, evaluate)[0].out;
  const std::vector<Outcome> outcomes = Run(3, evaluate);
  EXPECT_THAT(outcomes, Each(Field(&Outcome::code, 0))) << outcomes[0].err;
  EXPECT_EQ(outcomes[0].out, alone);
  EXPECT_THAT(outcomes[1].out, IsEmpty());
}

TEST_F(RanksTest, PrintTheHelpOnce) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--help"}, {"--version"}, {"evaluate", "--help"}}) {
    const std::vector<Outcome> outcomes = Run(2, arguments);
    EXPECT_THAT(outcomes, Each(Field(&Outcome::code, 0))) << outcomes[0].err << outcomes[1].err;
    EXPECT_NE(outcomes[0].out, "");
    EXPECT_THAT(outcomes[1].out, IsEmpty());
  }
}

TEST_F(RanksTest, PrintTheConfigOnceAndWriteNothingInADryRun) {
  const std::vector<Outcome> printed = Run(2, Training("x", {"--print-config"}));
  EXPECT_THAT(printed[0].out, HasSubstr("shards: 4"));
  EXPECT_THAT(printed[1].out, IsEmpty());
  const std::vector<Outcome> dry = Run(2, Training("x", {"--dry-run"}));
  EXPECT_THAT(dry, Each(Field(&Outcome::code, 0)));
  EXPECT_THAT(dry[0].out, HasSubstr("dry run: everything checked, nothing written"));
  EXPECT_FALSE(fs::exists(dir_ / "x"));
}

}  // namespace
}  // namespace twofour::train
