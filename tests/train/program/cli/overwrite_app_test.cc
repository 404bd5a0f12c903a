#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "twofour/core/io/safetensors.h"
#include "twofour/train/checkpoint.h"

#include "tests/support/folder_snapshot.h"
#include "tests/support/text_file.h"
#include "tests/train/program/cli/config_runner.h"
#include "tests/train/program/cli/run_records.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::ConfigRunner;
using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using test::SnapshotOf;
using test::StateWithoutTime;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kConfig = R"(
model { residual_mlp { width: 16 hidden_features: 32 num_blocks: 1 } }
data { glyphs { train_size: 64 eval_size: 32 } }
training { steps: 4 batch_size: 16 }
evaluation { every_steps: 2 }
checkpoint { every_steps: 2 }
logging { every_steps: 2 }
)";

/// Runs that take the place of others, and the folders where they can be made.
class OverwriteAppTest : public ConfigRunner {
 protected:
  OverwriteAppTest() : ConfigRunner(kConfig) {}
  ~OverwriteAppTest() override { fs::current_path(before_); }

  /// Like Train, but `folder` is passed on as it is.
  Outcome TrainInto(const std::string& folder, const std::vector<std::string>& more = {}) {
    return Run(Joined({"--config", Path("tiny.pbtxt"), "--out", folder}, more));
  }

  /// Writes a copy of a file in which the tensor of this name has another value in its sixth place.
  void Spoil(const fs::path& from, const fs::path& to, const std::string& tensor, float value) {
    SafetensorsFile file = LoadSafetensors(FileSystem::Default(), from);
    for (NamedTensor& named : file.tensors) {
      if (named.name == tensor) named.tensor.mutable_data<float>()[5] = value;
    }
    SaveSafetensors(FileSystem::Default(), to, file.tensors, file.metadata);
  }

 private:
  fs::path before_ = fs::current_path();
};

TEST_F(OverwriteAppTest, TheWorkingFolderIsARunsFolderLikeAnyOther) {
  ASSERT_EQ(TrainInto(Path("elsewhere")).code, 0);
  fs::create_directory(dir_ / "here");
  fs::current_path(dir_ / "here");
  ASSERT_EQ(TrainInto(".").code, 0);
  EXPECT_EQ(Model("here"), Model("elsewhere"));
  WriteTextFile("notes.txt", "of the user");
  for (const char* name : {".", "./", "../here"}) {
    EXPECT_THAT(TrainInto(name), FailsWith(2, HasSubstr("exists already")));
    const Outcome outcome = TrainInto(name, {"--overwrite", "--set", "training.steps=6"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(ReadTextFile("notes.txt"), "of the user");
    EXPECT_THAT(outcome.err, HasSubstr("kept what is not of the run that was replaced: notes.txt\n"));
    EXPECT_TRUE(fs::exists("checkpoints/step-6/trainer.json"));
  }
  EXPECT_EQ(Run({"--resume", ".", "--set", "training.steps=8"}).code, 0);
  EXPECT_TRUE(fs::exists(dir_ / "here/checkpoints/step-8"));
}

TEST_F(OverwriteAppTest, SoItIsForBranchesAndRetraining) {
  ASSERT_EQ(TrainInto(Path("dense")).code, 0);
  const std::vector<std::vector<std::string>> ways{
      {"--resume", Path("dense/checkpoints/step-2"), "--set", "training.steps=5"},
      {"retrain", "--from", Path("dense"), "--set", "training.steps=5"}};
  for (std::vector<std::string> way : ways) {
    fs::create_directory(dir_ / "here");
    fs::current_path(dir_ / "here");
    way.insert(way.end(), {"--out", "."});
    for (int time = 0; time < 2; ++time) {
      const Outcome outcome = Run(way);
      EXPECT_EQ(outcome.code, 0) << outcome.err;
      EXPECT_TRUE(fs::exists(dir_ / "here/checkpoints/step-5"));
      EXPECT_TRUE(fs::exists("model.safetensors"));
      if (time == 0) way.push_back("--overwrite");
    }
    fs::current_path(dir_.path());
    fs::remove_all(dir_ / "here");
  }
}

TEST_F(OverwriteAppTest, AFolderAboveTheWorkingFolderIsNotReplaced) {
  ASSERT_EQ(TrainInto(Path("run")).code, 0);
  fs::current_path(dir_ / "run/checkpoints");
  const auto before = SnapshotOf(dir_ / "run");
  EXPECT_THAT(TrainInto("..", {"--overwrite"}), FailsWith(2, HasSubstr("the working folder")));
  EXPECT_EQ(SnapshotOf(dir_ / "run"), before);
}

TEST_F(OverwriteAppTest, TheOldRunStaysUntilTheNewOneHasTakenAStep) {
  ASSERT_EQ(TrainInto(Path("run")).code, 0);
  const auto before = SnapshotOf(dir_.path());
  for (const char* seldom : {"logging.every_steps=1", "logging.every_steps=9"}) {
    const Outcome outcome = TrainInto(Path("run"), {"--overwrite", "--set", "learning_rate.lr=1e38", "--set", seldom});
    EXPECT_THAT(outcome, FailsWith(1, AllOf(HasSubstr("step 1"), HasSubstr("there is no checkpoint yet"),
                                            HasSubstr("the run in " + Path("run") + " was not replaced"))));
    EXPECT_EQ(SnapshotOf(dir_.path()), before);
  }
  EXPECT_EQ(TrainInto(Path("run"), {"--overwrite", "--seed", "9"}).code, 0);
  EXPECT_NE(SnapshotOf(dir_.path()), before);
}

TEST_F(OverwriteAppTest, AnEvaluationBeforeTheFirstStepReplacesNothingEither) {
  ASSERT_EQ(TrainInto(Path("sparse"), {"--sparse"}).code, 0);
  ASSERT_EQ(TrainInto(Path("run")).code, 0);
  const auto before = SnapshotOf(dir_ / "run");
  const std::vector<std::string> with_masks{"--overwrite", "--sparse",
                                            "--set",       "initial_masks=true",
                                            "--set",       "initial_weights=" + Path("sparse/model.safetensors")};
  std::vector<std::string> diverging = with_masks;
  diverging.insert(diverging.end(), {"--set", "learning_rate.lr=1e38"});
  EXPECT_THAT(TrainInto(Path("run"), diverging), FailsWith(1, HasSubstr("was not replaced")));
  EXPECT_EQ(SnapshotOf(dir_ / "run"), before);
  ASSERT_EQ(TrainInto(Path("run"), with_masks).code, 0);
  EXPECT_THAT(ReadTextFile(dir_ / "run/metrics.jsonl"), ::testing::StartsWith("{\"step\":0,\"split\":\"eval\","));
}

TEST_F(OverwriteAppTest, ABranchThatFailsNamesWhatItBeganWith) {
  ASSERT_EQ(TrainInto(Path("source")).code, 0);
  ASSERT_EQ(TrainInto(Path("run"), {"--seed", "9"}).code, 0);
  const auto before = SnapshotOf(dir_.path());
  EXPECT_THAT(Run({"--resume", Path("source/checkpoints/step-2"), "--out", Path("run"), "--overwrite", "--set",
                   "learning_rate.lr=1e38"}),
              FailsWith(1, AllOf(HasSubstr("the last checkpoint is " + fs::canonical(dir_ / "source").string() +
                                           "/checkpoints/step-2"),
                                 HasSubstr("was not replaced"), Not(HasSubstr(".tmp-")))));
  EXPECT_EQ(SnapshotOf(dir_.path()), before);
}

TEST_F(OverwriteAppTest, ABranchOverAnotherRunIsTheBranchThatItWouldBeElsewhere) {
  const std::vector<std::string> settings{"--set", "learning_rate.lr=0.01", "--set", "training.steps=12"};
  ASSERT_EQ(TrainInto(Path("source"), settings).code, 0);
  // This run has no checkpoint of the source's best step, and the branch must not look for it here.
  ASSERT_EQ(TrainInto(Path("run"), {"--set", "training.steps=30", "--set", "checkpoint.keep=1"}).code, 0);
  for (const char* out : {"branch", "run"}) {
    ASSERT_EQ(Run({"--resume", Path("source"), "--out", Path(out), "--overwrite", "--set", "training.steps=14", "--set",
                   "learning_rate.lr=1e-9"})
                  .code,
              0);
  }
  EXPECT_EQ(Model("run"), Model("branch"));
  EXPECT_EQ(StateWithoutTime(dir_ / "run"), StateWithoutTime(dir_ / "branch"));
}

TEST_F(OverwriteAppTest, WeightsThatAreNotFiniteAreBadInput) {
  ASSERT_EQ(TrainInto(Path("run")).code, 0);
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    Spoil(dir_ / "run/model.safetensors", dir_ / "bad.safetensors", "head.weight", value);
    const auto before = SnapshotOf(dir_.path());
    EXPECT_THAT(TrainInto(Path("run"), {"--overwrite", "--set", "initial_weights=" + Path("bad.safetensors")}),
                FailsWith(2, AllOf(HasSubstr(Path("bad.safetensors") + ": tensor 'head.weight' holds "),
                                   HasSubstr("at element 5, expected finite numbers"))));
    EXPECT_EQ(SnapshotOf(dir_.path()), before);
  }
}

TEST_F(OverwriteAppTest, SoAreCheckpointsThatNoRunCouldGoOnFrom) {
  ASSERT_EQ(TrainInto(Path("source")).code, 0);
  ASSERT_EQ(TrainInto(Path("run")).code, 0);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const CheckpointData good = CheckpointStore::Load(FileSystem::Default(), dir_ / "source/checkpoints/step-4");
  std::string moment;  // A tensor of the optimizer's state.
  for (const NamedTensor& named : good.optimizer) {
    if (named.tensor.dtype() == DType::kF32 && named.tensor.numel() > 5) moment = named.name;
  }
  ASSERT_FALSE(moment.empty());
  for (const std::string& tensor : {std::string("head.weight"), moment}) {
    CheckpointData bad = good;
    for (auto* tensors : {&bad.model, &bad.optimizer}) {
      for (NamedTensor& named : *tensors) {
        if (named.name != tensor) continue;
        named.tensor = named.tensor.Clone();
        named.tensor.mutable_data<float>()[5] = nan;
      }
    }
    CheckpointStore(FileSystem::Default(), dir_ / "source/checkpoints", 9).Save(bad);
    const auto before = SnapshotOf(dir_.path());
    const auto fails = FailsWith(2, AllOf(HasSubstr("/source/checkpoints/step-4/"),
                                          HasSubstr(".safetensors: tensor '" + tensor + "' holds nan at element 5"),
                                          Not(HasSubstr("the last checkpoint"))));
    EXPECT_THAT(Run({"--resume", Path("source"), "--set", "training.steps=9"}), fails);
    EXPECT_THAT(Run({"--resume", Path("source"), "--set", "training.steps=9", "--out", Path("run"), "--overwrite"}),
                fails);
    EXPECT_EQ(SnapshotOf(dir_.path()), before);
  }
}

TEST_F(OverwriteAppTest, NoRunTakesThePlaceOfWhatItIsMadeOf) {
  ASSERT_EQ(TrainInto(Path("run")).code, 0);
  ASSERT_EQ(TrainInto(Path("other")).code, 0);
  fs::create_directory_symlink(dir_ / "run", dir_ / "link");
  const std::string model = "/model.safetensors", config = Path("tiny.pbtxt");
  WriteTextFile(dir_ / "run/map", "");
  ASSERT_EQ(Run({"permute", "--from", Path("run"), "--out", Path("permuted"), "--pattern", "2:4"}).code, 0);
  const auto before = SnapshotOf(dir_.path());
  const auto refused = [&](std::vector<std::string> arguments, const std::string& lost) {
    SCOPED_TRACE(lost);
    arguments.push_back("--overwrite");
    const Outcome outcome = Run(arguments);
    EXPECT_THAT(outcome, FailsWith(2, AllOf(HasSubstr(lost + ": lies in "),
                                            HasSubstr(", which the new run would take the place of; expected another "
                                                      "folder, with --out\n"))));
    EXPECT_EQ(SnapshotOf(dir_.path()), before);
  };
  for (const std::string& out : {Path("run"), Path("other/../run"), Path("link")}) {
    refused({"permute", "--from", Path("run"), "--out", out, "--pattern", "2:4"}, "run" + model);
    refused({"permute", "--from", Path("link/checkpoints/step-2"), "--out", out, "--pattern", "2:4"},
            "checkpoints/step-2" + model);
    refused({"import", "--from", Path("run") + model, "--out", out, "--config", config}, Path("run") + model);
  }
  refused({"permute", "--from", Path("run"), "--out", Path("permuted"), "--pattern", "2:4", "--permutation",
           Path("permuted/permutation.safetensors")},
          Path("permuted/permutation.safetensors"));
  refused({"import", "--from", Path("run"), "--out", Path("run"), "--config", config}, Path("run") + model);
  refused({"import", "--from", Path("other"), "--out", Path("run"), "--config", Path("run/config.pbtxt")},
          Path("run/config.pbtxt"));
  refused({"import", "--from", Path("other"), "--out", Path("run"), "--config", config, "--map", Path("run/map")},
          Path("run/map"));
  refused({"import", "--from", Path("other"), "--out", Path("run"), "--config", config, "--set",
           "initial_weights=" + Path("run") + model},
          Path("run") + model);
  EXPECT_EQ(Run({"permute", "--from", Path("run"), "--out", Path("other"), "--pattern", "2:4", "--overwrite"}).code, 0);
}

TEST_F(OverwriteAppTest, ALinkThatLeadsNowhereIsBadInput) {
  fs::create_directory_symlink("../real", dir_ / "link");
  EXPECT_THAT(TrainInto(Path("link")), FailsWith(2, HasSubstr("link: is a link to ../real, which does not exist")));
}

}  // namespace
}  // namespace twofour::train
