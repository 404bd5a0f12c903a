#include "twofour/train/program/cli/app.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <sstream>

#include <nlohmann/json.hpp>

#include "twofour/core/io/safetensors.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/pattern.h"

#include "tests/support/scoped_env.h"
#include "tests/support/temp_dir.h"
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
using test::RecordsOf;
using test::ScopedEnv;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kConfig = R"(
model { residual_mlp { width: 16 hidden_features: 32 num_blocks: 1 } }
data { glyphs { train_size: 64 eval_size: 32 } }
training { steps: 6 batch_size: 16 }
sparsity { enabled: true }
evaluation { every_steps: 3 }
checkpoint { every_steps: 2 }
logging { every_steps: 2 }
)";

class AppTest : public ConfigRunner {
 protected:
  AppTest() : ConfigRunner(kConfig) {}
};

TEST_F(AppTest, TrainsAndWritesTheRunFolder) {
  const Outcome outcome = Train("run");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("✓ 2:4 sparsity enabled - converted 2 MLP layers to SemiSparseLinear"),
                                 HasSubstr("blocks.0.mlp.c_fc    [32, 16]"), HasSubstr("kept dense:"),
                                 HasSubstr("head"), HasSubstr("step 6/6  evaluation loss")));
  EXPECT_THAT(ReadTextFile(dir_ / "run/config.pbtxt"), AllOf(HasSubstr("batch_size: 16"), HasSubstr("beta1: 0.9")));
  EXPECT_TRUE(fs::exists(dir_ / "run/checkpoints/step-6/trainer.json"));
  EXPECT_TRUE(fs::exists(dir_ / "run/data.json"));
  const SafetensorsFile model = LoadSafetensors(FileSystem::Default(), dir_ / "run/model.safetensors");
  EXPECT_NE(model.Find("blocks.0.mlp.c_fc.weight_mask"), nullptr);

  std::map<std::string, int> records;
  for (const auto& record : RecordsOf(dir_ / "run")) ++records[record["split"]];
  EXPECT_EQ(records,
            (std::map<std::string, int>{{"train", 3}, {"eval", 2}, {"sparsity", 6}, {"activation", 3}, {"final", 1}}));
}

TEST_F(AppTest, SavesPrunedWeightsWhenAsked) {
  ASSERT_EQ(Train("run", {"--set", "checkpoint.save_pruned=true"}).code, 0);
  const SafetensorsFile model = LoadSafetensors(FileSystem::Default(), dir_ / "run/model.safetensors");
  for (const char* name : {"blocks.0.mlp.c_fc.weight", "blocks.0.mlp.c_proj.weight"}) {
    EXPECT_FALSE(sparse::FindPatternViolation(*model.Find(name), sparse::PatternAxis::kBoth).has_value());
  }
  EXPECT_EQ(model.Find("blocks.0.mlp.c_fc.weight_mask"), nullptr);
}

TEST_F(AppTest, DenseAndSparseFlagsWinOverTheFile) {
  const Outcome dense = Train("dense", {"--dense", "--dry-run"});
  EXPECT_EQ(dense.code, 0);
  EXPECT_THAT(dense.out, Not(HasSubstr("2:4 sparsity enabled")));
  const Outcome sparse = Train("sparse", {"--set", "sparsity.enabled=false", "--sparse", "--dry-run"});
  EXPECT_THAT(sparse.out, HasSubstr("2:4 sparsity enabled"));
  EXPECT_THAT(sparse.err, HasSubstr("note: --sparse takes the place of --set sparsity.enabled=false\n"));
  EXPECT_THAT(Train("x", {"--dense", "--sparse"}), FailsWith(2, HasSubstr("--sparse")));
}

TEST_F(AppTest, DryRunAndPrintConfigWriteNothing) {
  const Outcome printed = Train("run", {"--print-config", "--seed", "77", "--threads", "2"});
  EXPECT_EQ(printed.code, 0);
  EXPECT_THAT(printed.out, AllOf(HasSubstr("seed: 77"), HasSubstr("threads: 2"), HasSubstr("name: \"tiny\"")));
  EXPECT_EQ(Train("run", {"--dry-run"}).code, 0);
  EXPECT_FALSE(fs::exists(dir_ / "run"));
}

TEST_F(AppTest, ADryRunChecksTheFolderAndTheCheckpoint) {
  ASSERT_EQ(Train("run").code, 0);
  EXPECT_THAT(Train("run", {"--dry-run"}).err, HasSubstr("without --dry-run this would fail"));
  EXPECT_EQ(Run({"--resume", Path("run"), "--dry-run"}).code, 0);
  WriteTextFile(dir_ / "run/checkpoints/step-6/trainer.json", "{}");
  EXPECT_THAT(Run({"--resume", Path("run"), "--dry-run"}), FailsWith(2, HasSubstr("trainer.json")));
}

TEST_F(AppTest, AResumeDoesNotMindHowMuchThereIsToSayAboutTheData) {
  // A table of many features has as many means and standard deviations in data.json.
  ASSERT_EQ(Train("run").code, 0);
  WriteTextFile(dir_ / "run/data.json", "{" + std::string(5 << 20, ' ') + "}");
  const Outcome outcome = Run({"--resume", Path("run"), "--set", "training.steps=7"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
}

TEST_F(AppTest, ASlashAfterTheFolderMakesNoDifference) {
  EXPECT_EQ(Train("run/").code, 0);
  EXPECT_TRUE(fs::exists(dir_ / "run/model.safetensors"));
  fs::create_directory(dir_ / "target");
  fs::create_directory_symlink(dir_ / "target", dir_ / "link");
  EXPECT_EQ(Train("link").code, 0);
  EXPECT_TRUE(fs::exists(dir_ / "target/model.safetensors"));
}

TEST_F(AppTest, TheResumedRunsMetricsAreThoseOfTheUninterruptedOne) {
  const std::vector<std::string> seldom{"--set", "sparsity.interval=3"};
  ASSERT_EQ(Train("whole", seldom).code, 0);
  ASSERT_EQ(Train("part", {"--set", "sparsity.interval=3", "--set", "training.steps=4"}).code, 0);
  ASSERT_EQ(Run({"--resume", Path("part"), "--set", "training.steps=6"}).code, 0);
  const auto sparsity_at_6 = [this](const std::string& run) {
    std::vector<std::string> found;
    std::istringstream lines(ReadTextFile(dir_ / run / "metrics.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("{\"step\":6,\"split\":\"sparsity\"")) found.push_back(line);
    }
    return found;
  };
  EXPECT_EQ(sparsity_at_6("part").size(), 2u);
  EXPECT_EQ(sparsity_at_6("part"), sparsity_at_6("whole"));
}

TEST_F(AppTest, AResumedRunEndsWithTheSameFilesAsAnUninterruptedOne) {
  ASSERT_EQ(Train("whole").code, 0);
  ASSERT_EQ(Train("part", {"--set", "training.steps=4"}).code, 0);
  fs::remove(dir_ / "part/model.safetensors");
  const Outcome resumed = Run({"--resume", Path("part/"), "--set", "training.steps=6"});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_THAT(resumed.out, HasSubstr("resuming after step 4"));
  EXPECT_EQ(ReadTextFile(dir_ / "part/model.safetensors"), ReadTextFile(dir_ / "whole/model.safetensors"));
  EXPECT_EQ(ReadTextFile(dir_ / "part/checkpoints/step-6/optimizer.safetensors"),
            ReadTextFile(dir_ / "whole/checkpoints/step-6/optimizer.safetensors"));
}

TEST_F(AppTest, ResumesFromAGivenCheckpointAndDropsLaterRecords) {
  ASSERT_EQ(Train("run", {"--set", "checkpoint.keep=10"}).code, 0);
  const std::string model = ReadTextFile(dir_ / "run/model.safetensors");
  const size_t lines = std::ranges::count(ReadTextFile(dir_ / "run/metrics.jsonl"), '\n');
  const std::string metrics = ReadTextFile(dir_ / "run/metrics.jsonl");
  WriteTextFile(dir_ / "run/metrics.jsonl", metrics + "{\"step\":6,\"sp");
  const Outcome resumed = Run({"--resume", Path("run/checkpoints/step-2"), "--overwrite"});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_THAT(resumed.out, AllOf(HasSubstr("resuming after step 2"),
                                 HasSubstr("metrics.jsonl: skipped the last line, which a kill has torn")));
  EXPECT_EQ(ReadTextFile(dir_ / "run/model.safetensors"), model);
  EXPECT_EQ(std::ranges::count(ReadTextFile(dir_ / "run/metrics.jsonl"), '\n'), lines);
}

TEST_F(AppTest, ResumingAFinishedRunChangesNothing) {
  ASSERT_EQ(Train("run").code, 0);
  const std::string model = ReadTextFile(dir_ / "run/model.safetensors");
  const std::string metrics = ReadTextFile(dir_ / "run/metrics.jsonl");
  EXPECT_EQ(Run({"--resume", Path("run")}).code, 0);
  EXPECT_EQ(ReadTextFile(dir_ / "run/model.safetensors"), model);
  EXPECT_EQ(ReadTextFile(dir_ / "run/metrics.jsonl"), metrics);
}

TEST_F(AppTest, ThreadsDoNotChangeTheModel) {
  ASSERT_EQ(Train("one", {"--threads", "1"}).code, 0);
  ASSERT_EQ(Train("two", {"--threads", "2"}).code, 0);
  EXPECT_EQ(ReadTextFile(dir_ / "one/model.safetensors"), ReadTextFile(dir_ / "two/model.safetensors"));
}

TEST_F(AppTest, SeedsChangeTheModel) {
  ASSERT_EQ(Train("one", {"--seed", "1"}).code, 0);
  ASSERT_EQ(Train("two", {"--seed", "2"}).code, 0);
  EXPECT_NE(ReadTextFile(dir_ / "one/model.safetensors"), ReadTextFile(dir_ / "two/model.safetensors"));
}

TEST_F(AppTest, ASignalStopsWithACheckpointAndItsExitCode) {
  stop_.signal = SIGTERM;
  stop_.stop = true;
  const Outcome outcome = Train("run");
  EXPECT_EQ(outcome.code, 128 + SIGTERM);
  EXPECT_THAT(outcome.out, HasSubstr("trainer --resume"));
  EXPECT_TRUE(fs::exists(dir_ / "run/checkpoints/last/trainer.json"));
  EXPECT_FALSE(fs::exists(dir_ / "run/model.safetensors"));
}

TEST_F(AppTest, NeverOverwritesARunUnasked) {
  ASSERT_EQ(Train("run").code, 0);
  const std::string before = ReadTextFile(dir_ / "run/metrics.jsonl");
  EXPECT_THAT(Train("run", {"--seed", "9"}), FailsWith(2, HasSubstr("exists already")));
  EXPECT_EQ(ReadTextFile(dir_ / "run/metrics.jsonl"), before);
  EXPECT_EQ(Train("run", {"--seed", "9", "--overwrite"}).code, 0);
  EXPECT_THAT(ReadTextFile(dir_ / "run/config.pbtxt"), HasSubstr("seed: 9"));
}

TEST_F(AppTest, BadArgumentsExitWith2) {
  EXPECT_THAT(Run({}), FailsWith(2, HasSubstr("--config")));
  EXPECT_THAT(Run({"--confg", "x"}), FailsWith(2, HasSubstr("--confg")));
  EXPECT_THAT(Run({"--config", Path("none.pbtxt")}), FailsWith(2, HasSubstr("none.pbtxt")));
  EXPECT_THAT(Train("x", {"--threads", "many"}), FailsWith(2, HasSubstr("--threads")));
  EXPECT_THAT(Train("x", {"--threads", "-2"}), FailsWith(2, HasSubstr("threads")));
  EXPECT_THAT(Train("x", {"--seed", "-1"}), FailsWith(2, HasSubstr("--seed")));
  EXPECT_THAT(Train("x", {"--sparse=false"}), FailsWith(2, HasSubstr("sparse")));
  EXPECT_THAT(Train("x", {"--set", "training.stpes=3"}), FailsWith(2, HasSubstr("did you mean 'steps'")));
  EXPECT_THAT(Run({"--resume", Path("none")}), FailsWith(2, HasSubstr("none")));
  EXPECT_THAT(Run({"--resume", Path("x"), "--overwrite"}), FailsWith(2, HasSubstr("neither a run's folder")));
  EXPECT_THAT(Train("x", {"--accept-changed-data"}), FailsWith(2, HasSubstr("--resume")));
  EXPECT_FALSE(fs::exists(dir_ / "x"));
}

TEST_F(AppTest, AnEmptyNameIsAVariableThatWasNotSet) {
  for (const char* option : {"--out", "--config", "--resume"}) {
    EXPECT_THAT(Train("run", {"--dry-run", option, ""}), FailsWith(2, HasSubstr(": nothing, expected a name")))
        << option;
  }
}

TEST_F(AppTest, ACommandStandsFirst) {
  EXPECT_THAT(
      Run({"--threads", "2", "report", "runs/a"}),
      FailsWith(2, HasSubstr("the command report must come first: trainer report ... (see trainer report --help)")));
  EXPECT_THAT(Run({"--dry-run", "sweep", "--config", "x"}),
              FailsWith(2, HasSubstr("the command sweep must come first")));
  // The value of an option may be the name of a command.
  EXPECT_THAT(Run({"--config", "report"}), FailsWith(2, HasSubstr("cannot read report")));
}

TEST_F(AppTest, UnknownCommandsOptionsAndArgumentsAreNamedWithWhatWasMeant) {
  EXPECT_THAT(Run({"reprot", "runs/a"}),
              FailsWith(2, AllOf(HasSubstr("'reprot' is no command (did you mean 'report'?)"),
                                 HasSubstr("inspect, patterns, permute"),
                                 HasSubstr("sample, sensitivity, shrink, suggest-decay, suggest-pattern, sweep"))));
  EXPECT_THAT(Run({"train", "--config", Path("tiny.pbtxt")}),
              FailsWith(2, AllOf(HasSubstr("'train' is no command, expected"), HasSubstr("trainer --config FILE"))));
  EXPECT_THAT(Run({Path("tiny.pbtxt")}), FailsWith(2, HasSubstr("tiny.pbtxt' is no command, expected")));
  EXPECT_THAT(Run({"--confg", "x"}),
              FailsWith(2, HasSubstr("--confg is no option of trainer (did you mean '--config'?)")));
  EXPECT_THAT(Run({"--confg=x"}),
              FailsWith(2, HasSubstr("--confg is no option of trainer (did you mean '--config'?)")));
  EXPECT_THAT(Run({"-threads", "2"}), FailsWith(2, HasSubstr("(did you mean '--threads'?)")));
  EXPECT_THAT(
      Run({"sweep", "--confg", "x"}),
      FailsWith(
          2, HasSubstr("--confg is no option of trainer sweep (did you mean '--config'?) (see trainer sweep --help)")));
  EXPECT_THAT(Run({"report", "--basline", "x", "r"}), FailsWith(2, HasSubstr("(did you mean '--baseline'?)")));
  EXPECT_THAT(Run({"sample", "--run", "r", "some", "words"}),
              FailsWith(2, HasSubstr("'some' is no argument of trainer sample")));
  EXPECT_THAT(Run({"--config", Path("tiny.pbtxt"), "--", "words"}), FailsWith(2, HasSubstr("'words' is no argument")));
}

TEST_F(AppTest, AReportThatIsStoppedWritesNothing) {
  ASSERT_EQ(Train("run").code, 0);
  stop_.signal = SIGHUP;
  stop_.stop = true;
  const Outcome outcome = Run({"report", Path("run"), "--out", Path("report.html")});
  EXPECT_EQ(outcome.code, 128 + SIGHUP);
  EXPECT_THAT(outcome.out, HasSubstr("stopped"));
  EXPECT_FALSE(fs::exists(dir_ / "report.html"));
}

TEST_F(AppTest, ASuggestionThatIsStoppedSaysSo) {
  stop_.signal = SIGUSR1;
  stop_.stop = true;
  const Outcome outcome = Run({"suggest-decay", "--config", Path("tiny.pbtxt"), "--steps", "3"});
  EXPECT_EQ(outcome.code, 128 + SIGUSR1);
  EXPECT_THAT(outcome.out, HasSubstr("stopped with 0 of 6 lambdas tried: nothing is suggested"));
}

TEST_F(AppTest, HelpAndVersionAreNotErrors) {
  EXPECT_THAT(Run({"--help"}).out,
              AllOf(HasSubstr("--resume"), HasSubstr("  sample         Prints text"), HasSubstr("Exit codes")));
  EXPECT_THAT(Run({"--version"}).out,
              AllOf(StartsWith("twofour "), HasSubstr("\ninstruction sets: "), HasSubstr("\nlibraries: "),
                    HasSubstr("Eigen 3."), HasSubstr("protobuf "), HasSubstr("\nthreads: ")));
}

TEST_F(AppTest, UnknownFieldsAreListedWithTheirPlaces) {
  WriteTextFile(dir_ / "tiny.pbtxt", std::string(kConfig) + "sede: 3\nlearning_rate { lrr: 3 }\n");
  EXPECT_THAT(Train("x"), FailsWith(2, AllOf(HasSubstr("tiny.pbtxt:9:1: "), HasSubstr("(did you mean 'seed'?)"),
                                             HasSubstr("tiny.pbtxt:10:17: "), HasSubstr("(did you mean 'lr'?)"))));
}

TEST_F(AppTest, ValuesThatMakeNoSenseStopBeforeAnythingIsWritten) {
  EXPECT_THAT(Train("x", {"--set", "training.batch_size=65"}),
              FailsWith(2, HasSubstr("training.batch_size: 65, expected at most the 64 samples")));
  EXPECT_THAT(Train("x", {"--set", "training.steps=-1", "--set", "training.batch_size=0"}),
              FailsWith(2, AllOf(HasSubstr("training.steps: -1"), HasSubstr("training.batch_size: 0"))));
  EXPECT_THAT(Train("x", {"--set", "sparsity.include=(["}), FailsWith(2, HasSubstr("regular expression")));
  EXPECT_FALSE(fs::exists(dir_ / "x"));
}

TEST_F(AppTest, ASparseRunWithoutAnEligibleLayerExitsWith2AndTheReasons) {
  EXPECT_THAT(Train("x", {"--set", "sparsity.multiple_of=64"}),
              FailsWith(2, AllOf(HasSubstr("no layer is eligible"),
                                 HasSubstr("blocks.0.mlp.c_fc [32, 16]: out_features 32 is not a multiple of 64"),
                                 HasSubstr("head [10, 16]: name does not match"))));
  EXPECT_FALSE(fs::exists(dir_ / "x"));
}

TEST_F(AppTest, AMissingDataFileIsNamed) {
  EXPECT_THAT(Train("x", {"--set", "data={ idx { images: '/none/i' labels: '/none/l' } }"}),
              FailsWith(2, HasSubstr("/none/i")));
}

TEST_F(AppTest, ADamagedCheckpointNamesTheTensorAndLeavesTheFolderUntouched) {
  ASSERT_EQ(Train("run").code, 0);
  const fs::path file = dir_ / "run/checkpoints/step-6/model.safetensors";
  std::string bytes = ReadTextFile(file);
  bytes[bytes.size() / 2] ^= 4;
  WriteTextFile(file, bytes);
  std::map<std::string, std::string> before;
  for (const auto& entry : fs::recursive_directory_iterator(dir_ / "run")) {
    if (entry.is_regular_file()) before[entry.path().string()] = ReadTextFile(entry.path());
  }
  EXPECT_THAT(Run({"--resume", Path("run"), "--set", "training.steps=8"}),
              FailsWith(2, AllOf(HasSubstr("tensor '"), HasSubstr("damaged"))));
  for (const auto& [path, content] : before) EXPECT_EQ(ReadTextFile(path), content) << path;
}

TEST_F(AppTest, AnotherModelsCheckpointIsRejected) {
  ASSERT_EQ(Train("run").code, 0);
  EXPECT_THAT(Run({"--resume", Path("run"), "--set", "model.residual_mlp.width=32"}),
              FailsWith(2, AllOf(HasSubstr("model.residual_mlp.width: 16 -> 32"), HasSubstr("a run keeps its model"))));
  EXPECT_THAT(ReadTextFile(dir_ / "run/config.pbtxt"), HasSubstr("width: 16"));
}

TEST_F(AppTest, AConfigGivenAlongWithResumeMustBeTheRunsOwn) {
  ASSERT_EQ(Train("run").code, 0);
  EXPECT_EQ(Run({"--resume", Path("run"), "--config", Path("tiny.pbtxt"), "--threads", "1"}).code, 0);
  WriteTextFile(dir_ / "tiny.pbtxt", std::string(kConfig) + "seed: 12\n");
  EXPECT_THAT(Run({"--resume", Path("run"), "--config", Path("tiny.pbtxt")}),
              FailsWith(2, AllOf(HasSubstr("another config"), HasSubstr("seed"))));
}

TEST_F(AppTest, AnExplodingLossExitsWith1) {
  EXPECT_THAT(Train("run", {"--set", "learning_rate.lr=1e30"}),
              FailsWith(1, AllOf(HasSubstr("step "), HasSubstr("'"))));
}

TEST_F(AppTest, AFolderThatCannotBeWrittenIsReported) {
  const Outcome outcome = Run({"--config", Path("tiny.pbtxt"), "--out", "/dev/null/run"});
  EXPECT_THAT(outcome, FailsWith(1, HasSubstr("/dev/null")));
}

TEST_F(AppTest, AMisspeltKernelIsFoundOutBeforeTraining) {
  const ScopedEnv env("TWOFOUR_KERNEL", "fastest");
  EXPECT_THAT(Train("x"), FailsWith(2, AllOf(HasSubstr("TWOFOUR_KERNEL=fastest"), HasSubstr("scalar_reference"))));
}

}  // namespace
}  // namespace twofour::train
