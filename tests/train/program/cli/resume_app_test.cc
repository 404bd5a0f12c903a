// Resuming runs: in place, from an earlier checkpoint, and when there is nothing to train.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <string>

#include "twofour/train/checkpoint.h"
#include "twofour/train/program/config/text_config.h"

#include "tests/support/folder_snapshot.h"
#include "tests/support/text_file.h"
#include "tests/train/program/cli/resume_runner.h"
#include "tests/train/program/cli/run_records.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using test::RecordsWithoutTime;
using test::ResumeRunner;
using test::SnapshotOf;
using test::StateWithoutTime;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ResumeAppTest : public ResumeRunner {};

TEST_F(ResumeAppTest, AnEarlierCheckpointInPlaceIsRefusedWhereItWouldDiscardResults) {
  ASSERT_EQ(Train("run").code, 0);
  const auto before = SnapshotOf(dir_ / "run");
  const Outcome refused = Resume("run/checkpoints/step-2", {"--set", "learning_rate.lr=1e-4"});
  EXPECT_THAT(refused, FailsWith(2, AllOf(HasSubstr("step-4 to step-6"), HasSubstr("model.safetensors"),
                                          HasSubstr("records of metrics.jsonl"), HasSubstr("--out NEW"),
                                          HasSubstr("--overwrite"))));
  EXPECT_EQ(std::ranges::count(refused.err, '\n'), 1);
  EXPECT_EQ(SnapshotOf(dir_ / "run"), before);
  // The same happens through a link, and for a run that was interrupted.
  fs::remove(dir_ / "run/model.safetensors");
  fs::remove(dir_ / "run/checkpoints/best");
  fs::create_symlink("step-2", dir_ / "run/checkpoints/best");
  EXPECT_THAT(Resume("run/checkpoints/best"), FailsWith(2, HasSubstr("step-4 to step-6")));
}

TEST_F(ResumeAppTest, NamesTheBestCheckpointAmongWhatWouldBeLost) {
  ASSERT_EQ(Train("run", {"--set", "learning_rate.lr=0.01", "--set", "training.steps=40"}).code, 0);
  const int64_t best = CheckpointStore::LoadState(FileSystem::Default(), dir_ / "run/checkpoints/last").best_step;
  ASSERT_GT(best, 24);
  EXPECT_THAT(Resume("run/checkpoints/step-24"), FailsWith(2, HasSubstr("the best one, step-" + std::to_string(best))));
}

TEST_F(ResumeAppTest, OverwriteDiscardsWhatCameAfterAnEarlierCheckpoint) {
  ASSERT_EQ(Train("run").code, 0);
  ASSERT_EQ(Resume("run/checkpoints/step-2", {"--overwrite", "--set", "learning_rate.lr=1e-4"}).code, 0);
  EXPECT_THAT(ReadTextFile(dir_ / "run/config.pbtxt"), HasSubstr("lr: 0.0001"));
  ASSERT_EQ(Train("whole").code, 0);
  EXPECT_NE(Model("run"), Model("whole"));
  EXPECT_FALSE(fs::exists(dir_ / "run/model-step-2.safetensors"));
  EXPECT_THAT(Resume("run", {"--overwrite"}), FailsWith(2, HasSubstr("nothing to --overwrite")));
}

TEST_F(ResumeAppTest, TheNewestCheckpointAndTheFolderItselfGoOnAsEver) {
  for (const char* point : {"part", "part/checkpoints/step-4", "part/checkpoints/last"}) {
    ASSERT_EQ(Train("whole", {"--overwrite"}).code, 0);
    ASSERT_EQ(Train("part", {"--overwrite", "--set", "training.steps=4"}).code, 0);
    ASSERT_EQ(Resume(point, {"--set", "training.steps=6"}).code, 0);
    EXPECT_EQ(Model("part"), Model("whole"));
  }
}

TEST_F(ResumeAppTest, ARunThatIsBeingTrainedIsNotEvenRead) {
  ASSERT_EQ(Train("run").code, 0);
  const int lock = open((dir_ / "run/.lock").c_str(), O_RDWR);
  ASSERT_EQ(flock(lock, LOCK_EX | LOCK_NB), 0);
  // The other trainer is writing and removing checkpoints.
  fs::remove(dir_ / "run/checkpoints/step-6/trainer.json");
  EXPECT_THAT(Resume("run"), FailsWith(2, HasSubstr("another trainer")));
  close(lock);
}

TEST_F(ResumeAppTest, ARunWithNothingLeftToTrainNeedsNoFolderThatCanBeLocked) {
  ASSERT_EQ(Train("run").code, 0);
  fs::remove(dir_ / "run/.lock");
  fs::create_symlink(".lock", dir_ / "run/.lock");  // It cannot be opened.
  EXPECT_EQ(Resume("run").code, 0);
  EXPECT_THAT(Resume("run", {"--set", "training.steps=8"}), FailsWith(1, HasSubstr("cannot open")));
}

TEST_F(ResumeAppTest, ANewRunNeverTakesThePlaceOfWhatItNeeds) {
  ASSERT_EQ(Train("run", {"--dense"}).code, 0);
  const auto before = SnapshotOf(dir_ / "run");
  EXPECT_THAT(Run({"retrain", "--from", Path("run"), "--out", Path("run"), "--overwrite"}),
              FailsWith(2, AllOf(HasSubstr("model.safetensors: lies in"), HasSubstr("--out"))));
  EXPECT_THAT(
      Train("run", {"--overwrite", "--set", "initial_weights=" + Path("run/checkpoints/step-2/model.safetensors")}),
      FailsWith(2, HasSubstr("lies in")));
  EXPECT_EQ(SnapshotOf(dir_ / "run"), before);
}

TEST_F(ResumeAppTest, InitialWeightsThatNobodyWouldReadAreNotRecorded) {
  ASSERT_EQ(Train("run").code, 0);
  const auto before = SnapshotOf(dir_ / "run");
  EXPECT_THAT(Resume("run", {"--set", "training.steps=8", "--set", "initial_weights=" + Path("run/model.safetensors")}),
              FailsWith(2, HasSubstr("the run began with random ones")));
  EXPECT_EQ(SnapshotOf(dir_ / "run"), before);
}

TEST_F(ResumeAppTest, WhereARunCameFromIsARecordAndNoSetting) {
  ASSERT_EQ(Train("run").code, 0);
  ASSERT_EQ(Resume("run/checkpoints/step-2", {"--out", Path("branch")}).code, 0);
  EXPECT_THAT(Train("x", {"--set", "branched_from.step=3"}), FailsWith(2, HasSubstr("cannot be set")));
  ASSERT_EQ(Run({"--config", Path("branch/config.pbtxt"), "--out", Path("anew")}).code, 0);
  EXPECT_FALSE(LoadTextConfig(Path("anew/config.pbtxt")).has_branched_from());
  EXPECT_EQ(Resume("branch", {"--config", Path("tiny.pbtxt")}).code, 0);  // The file that both were made with.
}

TEST_F(ResumeAppTest, AnOldRunGoesOnWithFieldsThatHaveNoEffectAndANewOneIsRefused) {
  ASSERT_EQ(Train("run").code, 0);
  std::string config = ReadTextFile(dir_ / "run/config.pbtxt");
  const std::string none = "max_batches: 0";
  config.replace(config.find(none), none.size(), "max_batches: 3");  // Earlier versions accepted it.
  WriteTextFile(dir_ / "run/config.pbtxt", config);
  EXPECT_THAT(
      Run({"--config", Path("run/config.pbtxt"), "--out", Path("new")}),
      FailsWith(2, HasSubstr("config: evaluation.max_batches: 3, expected 0 for a model that reads no tokens")));
  EXPECT_THAT(Resume("run", Set({"training.steps=8", "sparsity.schedule.rate=7"})),
              FailsWith(2, HasSubstr("config: sparsity.schedule.rate: 7, expected 5 but for EXPONENTIAL")));
  const Outcome longer = Resume("run", Set({"training.steps=8"}));
  EXPECT_EQ(longer.code, 0) << longer.err;
  const Outcome branch = Resume("run", {"--out", Path("branch"), "--set", "training.steps=10"});
  EXPECT_EQ(branch.code, 0) << branch.err;
  const Outcome report = Run({"report", Path("run"), "--out", Path("report.html")});
  EXPECT_EQ(report.code, 0) << report.err;
}

TEST_F(ResumeAppTest, AResumeThatTrainsNothingChangesNothingAndSaysSo) {
  ASSERT_EQ(Train("run").code, 0);
  const auto before = SnapshotOf(dir_ / "run");
  const Outcome outcome = Resume("run", {"--set", "learning_rate.lr=5", "--set", "checkpoint.save_pruned=true"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("nothing to train: step 6 is the last one"),
                                 HasSubstr("--set training.steps=N"), Not(HasSubstr("done"))));
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("not applied"), HasSubstr("learning_rate.lr: 0.001 -> 5"),
                                 HasSubstr("checkpoint.save_pruned: false -> true")));
  EXPECT_EQ(SnapshotOf(dir_ / "run"), before);
  EXPECT_EQ(Resume("run", {"--threads", "1"}).err, "");
  EXPECT_EQ(Resume("run/checkpoints/step-4", {"--set", "training.steps=4"}).code, 0);
  EXPECT_THAT(Resume("run", {"--out", Path("branch")}), FailsWith(2, HasSubstr("nothing to train")));
  EXPECT_FALSE(fs::exists(dir_ / "branch"));
  EXPECT_EQ(SnapshotOf(dir_ / "run"), before);
}

TEST_F(ResumeAppTest, AModelThatIsMissingIsExportedUnderTheStoredConfig) {
  ASSERT_EQ(Train("run").code, 0);
  const auto before = SnapshotOf(dir_ / "run");
  fs::remove(dir_ / "run/model.safetensors");
  EXPECT_EQ(Resume("run", {"--dry-run"}).code, 0);
  EXPECT_FALSE(fs::exists(dir_ / "run/model.safetensors"));
  const Outcome outcome = Resume("run", {"--set", "checkpoint.save_pruned=true"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("written, because it was missing; model: "));
  EXPECT_THAT(outcome.err, HasSubstr("not applied"));
  EXPECT_EQ(SnapshotOf(dir_ / "run"), before);
}

TEST_F(ResumeAppTest, AContinuationThatFailsAtOnceChangesNothing) {
  ASSERT_EQ(Train("run").code, 0);
  WriteTextFile(dir_ / "run/metrics.jsonl", ReadTextFile(dir_ / "run/metrics.jsonl") + "{\"step\":7,\"spl");
  const auto before = SnapshotOf(dir_ / "run");
  EXPECT_THAT(Resume("run", {"--set", "training.steps=9", "--set", "learning_rate.lr=1e30"}),
              FailsWith(1, HasSubstr("step ")));
  EXPECT_EQ(SnapshotOf(dir_ / "run"), before);
  EXPECT_THAT(Resume("run/checkpoints/step-2",
                     {"--overwrite", "--set", "learning_rate.lr=1e38", "--set", "logging.every_steps=9"}),
              FailsWith(1, HasSubstr("step ")));
  EXPECT_EQ(SnapshotOf(dir_ / "run"), before);
}

TEST_F(ResumeAppTest, WhatAKillLeftIsRemovedOnceTheContinuationWrites) {
  ASSERT_EQ(Train("run").code, 0);
  const fs::path left = dir_ / "run/.config.pbtxt.tmp-12";
  for (const char* bad : {"training.batch_size=0", "learning_rate.lr=1e30"}) {
    WriteTextFile(left, "half");
    const auto before = SnapshotOf(dir_ / "run");
    EXPECT_NE(Resume("run", {"--set", "training.steps=9", "--set", bad}).code, 0);
    EXPECT_EQ(SnapshotOf(dir_ / "run"), before);
  }
  EXPECT_EQ(Resume("run", {"--set", "training.steps=8"}).code, 0);
  EXPECT_FALSE(fs::exists(left));
  WriteTextFile(left, "half");
  fs::remove(dir_ / "run/model.safetensors");
  EXPECT_EQ(Resume("run").code, 0);
  EXPECT_FALSE(fs::exists(left));
}

TEST_F(ResumeAppTest, ALongerRunKeepsTheFinalModelOfTheShorterOne) {
  ASSERT_EQ(Train("run").code, 0);
  const std::string model = Model("run");
  const Outcome outcome = Resume("run", {"--set", "training.steps=8"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(ReadTextFile(dir_ / "run/model-step-6.safetensors"), model);
  EXPECT_NE(Model("run"), model);
}

TEST_F(ResumeAppTest, AStopDuringTheLastEvaluationLeavesThatAndTheModelToTheRunThatGoesOn) {
  const std::vector<std::string> one_step{"--set", "training.steps=1", "--set", "logging.every_steps=0"};
  ASSERT_EQ(Train("whole", one_step).code, 0);
  stop_.signal = SIGTERM;
  stop_.stop = true;
  const Outcome stopped = Train("part", one_step);
  EXPECT_EQ(stopped.code, 128 + SIGTERM);
  EXPECT_THAT(stopped.out, HasSubstr("stopped after step 1; go on with: trainer --resume "));
  EXPECT_FALSE(fs::exists(dir_ / "part/model.safetensors"));
  // If it is stopped in the same evaluation, nothing changes, not even the config.
  const auto before = SnapshotOf(dir_ / "part");
  const Outcome again = Resume("part", {"--set", "training.steps=3"});
  EXPECT_EQ(again.code, 128 + SIGTERM);
  EXPECT_THAT(again.out, HasSubstr("is as it was: start again as before"));
  EXPECT_EQ(SnapshotOf(dir_ / "part"), before);
  stop_.stop = false;
  const Outcome resumed = Resume("part");
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  for (const char* file : {"model.safetensors", "config.pbtxt"}) {
    EXPECT_EQ(ReadTextFile(dir_ / "part" / file), ReadTextFile(dir_ / "whole" / file)) << file;
  }
  EXPECT_EQ(StateWithoutTime(dir_ / "part"), StateWithoutTime(dir_ / "whole"));
  EXPECT_EQ(RecordsWithoutTime(dir_ / "part"), RecordsWithoutTime(dir_ / "whole"));
}

TEST_F(ResumeAppTest, AStopDuringTheEvaluationBeforeTheFirstStepReplacesNoRun) {
  ASSERT_EQ(Train("run").code, 0);
  ASSERT_EQ(Train("other").code, 0);
  const auto before = SnapshotOf(dir_ / "run");
  const std::vector<std::string> masks{"--set", "initial_weights=" + Path("other/model.safetensors"), "--set",
                                       "initial_masks=true"};
  std::vector<std::string> overwrite = masks;
  overwrite.emplace_back("--overwrite");
  stop_.signal = SIGTERM;
  stop_.stop = true;
  const Outcome outcome = Train("run", overwrite);
  EXPECT_EQ(outcome.code, 128 + SIGTERM) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("stopped before a step was made; the run in " + Path("run") + " is as it was"));
  EXPECT_EQ(SnapshotOf(dir_ / "run"), before);
  // A new run has a folder and can be resumed.
  EXPECT_EQ(Train("new", masks).code, 128 + SIGTERM);
  EXPECT_EQ(Resume("new").code, 128 + SIGTERM);
  stop_.stop = false;
  EXPECT_EQ(Resume("new").code, 0);
  ASSERT_EQ(Train("whole", masks).code, 0);
  EXPECT_EQ(Model("new"), Model("whole"));
}

TEST_F(ResumeAppTest, GoingBackDiscardsAndNamesModelsThatWereSetAsideLater) {
  ASSERT_EQ(Train("run", {"--set", "training.steps=4"}).code, 0);
  ASSERT_EQ(Resume("run", {"--set", "training.steps=6"}).code, 0);
  ASSERT_EQ(Resume("run", {"--set", "training.steps=8"}).code, 0);
  const std::string of_step_4 = ReadTextFile(dir_ / "run/model-step-4.safetensors");
  const auto before = SnapshotOf(dir_ / "run");
  EXPECT_THAT(Resume("run/checkpoints/step-4"),
              FailsWith(2, AllOf(HasSubstr("model-step-6.safetensors"), Not(HasSubstr("model-step-4.safetensors")))));
  EXPECT_EQ(SnapshotOf(dir_ / "run"), before);
  const Outcome back = Resume("run/checkpoints/step-4", {"--overwrite", "--set", "learning_rate.lr=1e-4"});
  ASSERT_EQ(back.code, 0) << back.err;
  EXPECT_THAT(back.out, HasSubstr("model-step-6.safetensors: discarded"));
  EXPECT_FALSE(fs::exists(dir_ / "run/model-step-6.safetensors"));
  EXPECT_EQ(ReadTextFile(dir_ / "run/model-step-4.safetensors"), of_step_4);
}

TEST_F(ResumeAppTest, SettingAModelAsideReplacesNoFile) {
  ASSERT_EQ(Train("run").code, 0);
  const std::string model = Model("run");
  WriteTextFile(dir_ / "run/model-step-6.safetensors", "another");
  const Outcome outcome = Resume("run", {"--set", "training.steps=8"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(ReadTextFile(dir_ / "run/model-step-6.safetensors"), "another");
  EXPECT_EQ(ReadTextFile(dir_ / "run/model-step-6-2.safetensors"), model);
  EXPECT_THAT(outcome.out, HasSubstr("model-step-6-2.safetensors: what was the final model after step 6"));
  // It is still discarded with its step.
  ASSERT_EQ(Resume("run/checkpoints/step-4", {"--overwrite"}).code, 0);
  EXPECT_FALSE(fs::exists(dir_ / "run/model-step-6-2.safetensors"));
}

TEST_F(ResumeAppTest, ADryRunOfARunWhoseFolderExistsSaysSoAndSucceeds) {
  ASSERT_EQ(Train("run").code, 0);
  const auto before = SnapshotOf(dir_ / "run");
  const Outcome outcome = Train("run", {"--dry-run"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("exists already"));
  EXPECT_EQ(Resume("run/checkpoints/step-2", {"--dry-run"}).code, 0);
  EXPECT_EQ(Resume("run/checkpoints/step-2", {"--dry-run", "--out", Path("branch")}).code, 0);
  EXPECT_FALSE(fs::exists(dir_ / "branch"));
  EXPECT_EQ(SnapshotOf(dir_ / "run"), before);
}

TEST_F(ResumeAppTest, DenseOnASparseRunSaysWhatToDo) {
  ASSERT_EQ(Train("run").code, 0);
  const Outcome outcome = Resume("run", {"--dense", "--set", "training.steps=8"});
  EXPECT_THAT(outcome, FailsWith(2, AllOf(HasSubstr("the run is sparse"), HasSubstr("leave that out"))));
  EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1);
  // What the message advises works.
  const std::string weights = Path("run/checkpoints/step-6/model.safetensors");
  EXPECT_THAT(outcome.err, HasSubstr("--set initial_weights=" + weights));
  EXPECT_EQ(Run({"--config", Path("run/config.pbtxt"), "--dense", "--set", "initial_weights=" + weights, "--out",
                 Path("dense")})
                .code,
            0);
}

TEST_F(ResumeAppTest, ADenseRunCanGoOnSparse) {
  ASSERT_EQ(Train("run", {"--dense"}).code, 0);
  const Outcome outcome = Resume("run", {"--sparse", "--set", "training.steps=8"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("from here on sparsity.enabled: false -> true"));
}

TEST_F(ResumeAppTest, ARunKeepsItsModel) {
  ASSERT_EQ(Train("run").code, 0);
  const auto before = SnapshotOf(dir_ / "run");
  EXPECT_THAT(
      Resume("run", {"--set", "training.steps=8", "--set", "model.residual_mlp.activation=GELU"}),
      FailsWith(2, AllOf(HasSubstr("model.residual_mlp.activation: RELU_SQUARED -> GELU: a run keeps its model"),
                         HasSubstr("--set initial_weights="))));
  EXPECT_EQ(SnapshotOf(dir_ / "run"), before);
  EXPECT_EQ(Resume("run", {"--set", "training.steps=8", "--set", "model.residual_mlp.dropout=0.1"}).code, 0);
}

TEST_F(ResumeAppTest, WhatDoesNotFitTheCheckpointIsNamedOnOneLine) {
  ASSERT_EQ(Train("run").code, 0);
  const auto before = SnapshotOf(dir_ / "run");
  for (const auto& [set, named] : {std::pair("model.residual_mlp.width=32", "model.residual_mlp.width: 16 -> 32"),
                                   {"model.residual_mlp.num_blocks=2", "model.residual_mlp.num_blocks: 1 -> 2"},
                                   {"optimizer={sgd{}}", "optimizer.sgd"},
                                   {"sparsity.include=.*c_fc", "sparsity.include"}}) {
    const Outcome outcome = Resume("run", {"--set", set, "--set", "training.steps=8"});
    EXPECT_EQ(outcome.code, 2) << set;
    EXPECT_THAT(outcome.err, HasSubstr(named));
    EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
  }
  EXPECT_EQ(SnapshotOf(dir_ / "run"), before);
}

}  // namespace
}  // namespace twofour::train
