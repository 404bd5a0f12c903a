// Branches: runs that go on from another run's checkpoint in a folder of their own.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "twofour/core/state_reader.h"
#include "twofour/train/checkpoint.h"
#include "twofour/train/program/config/text_config.h"

#include "tests/support/folder_snapshot.h"
#include "tests/support/text_file.h"
#include "tests/train/program/cli/resume_runner.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using test::ResumeRunner;
using test::SnapshotOf;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class BranchAppTest : public ResumeRunner {};

TEST_F(BranchAppTest, ABranchIsANewFolderAndLeavesTheOtherRunAsItIs) {
  ASSERT_EQ(Train("run").code, 0);
  const auto before = SnapshotOf(dir_ / "run");
  const Outcome branched =
      Resume("run/checkpoints/step-4", {"--out", Path("branch"), "--set", "learning_rate.lr=1e-4"});
  ASSERT_EQ(branched.code, 0) << branched.err;
  EXPECT_THAT(branched.out, AllOf(HasSubstr("branching off after step 4 from"),
                                  HasSubstr("from here on learning_rate.lr: 0.001 -> 0.0001")));
  EXPECT_EQ(SnapshotOf(dir_ / "run"), before);
  const proto::Config config = LoadTextConfig(Path("branch/config.pbtxt"));
  EXPECT_EQ(config.branched_from().run(), fs::canonical(dir_ / "run").string());
  EXPECT_EQ(config.branched_from().step(), 4);
  EXPECT_EQ(config.learning_rate().lr(), 1e-4);
  EXPECT_TRUE(fs::exists(dir_ / "branch/data.json"));
  EXPECT_TRUE(fs::exists(dir_ / "branch/checkpoints/step-4/trainer.json"));
  EXPECT_TRUE(fs::exists(dir_ / "branch/model.safetensors"));
  EXPECT_FALSE(fs::exists(dir_ / "branch/checkpoints/step-2"));
  // The metrics are the other run's up to that step, and then the branch's own.
  const std::string metrics = ReadTextFile(dir_ / "branch/metrics.jsonl");
  const std::string theirs = ReadTextFile(dir_ / "run/metrics.jsonl");
  const std::string shared = theirs.substr(0, theirs.find("{\"step\":6"));
  EXPECT_TRUE(metrics.starts_with(shared));
  const std::string change = "{\"step\":4,\"split\":\"resumed\",\"changes\":[\"learning_rate.lr: 0.001 -> 0.0001\"]}\n";
  ASSERT_TRUE(metrics.starts_with(shared + change));
  EXPECT_THAT(metrics.substr(shared.size() + change.size()),
              AllOf(HasSubstr("\"lr\":0.0001"), Not(HasSubstr("\"step\":4"))));
}

TEST_F(BranchAppTest, AnUnchangedBranchEndsInTheSameBits) {
  ASSERT_EQ(Train("run").code, 0);
  for (const char* point : {"run/checkpoints/step-2", "run/checkpoints/step-4"}) {
    ASSERT_EQ(Resume(point, {"--out", Path("branch"), "--overwrite"}).code, 0);
    EXPECT_EQ(Model("branch"), Model("run"));
    EXPECT_EQ(ReadTextFile(dir_ / "branch/checkpoints/step-6/optimizer.safetensors"),
              ReadTextFile(dir_ / "run/checkpoints/step-6/optimizer.safetensors"));
  }
}

TEST_F(BranchAppTest, ABranchCanBeGoneOnWithFromItsVeryBeginning) {
  const std::vector<std::string> seldom{"--set", "checkpoint.every_steps=3", "--set", "evaluation.every_steps=3"};
  ASSERT_EQ(Train("run", seldom).code, 0);
  // The branch stops after its first step and loses that step's checkpoint, as if it was killed before its own first
  // one.
  stop_.signal = SIGTERM;
  stop_.stop = true;
  ASSERT_EQ(Resume("run/checkpoints/step-3", {"--out", Path("branch")}).code, 128 + SIGTERM);
  stop_.stop = false;
  fs::remove_all(dir_ / "branch/checkpoints/step-4");
  ASSERT_EQ(Resume("branch").code, 0);
  EXPECT_EQ(Model("branch"), Model("run"));
  EXPECT_EQ(LoadTextConfig(Path("branch/config.pbtxt")).branched_from().step(), 3);  // Not lost on the way.
}

TEST_F(BranchAppTest, ABranchTakesTheBestCheckpointAlong) {
  ASSERT_EQ(Train("run", {"--set", "learning_rate.lr=0.3", "--set", "training.steps=12"}).code, 0);
  const TrainerState state = CheckpointStore::LoadState(FileSystem::Default(), dir_ / "run/checkpoints/step-12");
  ASSERT_LT(state.best_step, 12);  // The rate makes things worse.
  ASSERT_EQ(Resume("run", {"--out", Path("branch"), "--set", "training.steps=13"}).code, 0);
  EXPECT_EQ(ReadTextFile(dir_ / "branch/checkpoints/best/model.safetensors"),
            ReadTextFile(dir_ / "run/checkpoints/best/model.safetensors"));
}

TEST_F(BranchAppTest, ARunThatIsBeingTrainedCanBeBranchedOff) {
  ASSERT_EQ(Train("run").code, 0);
  WriteTextFile(dir_ / "run/metrics.jsonl", ReadTextFile(dir_ / "run/metrics.jsonl") + "{\"step\":7,\"spl");
  const int lock = open((dir_ / "run/.lock").c_str(), O_RDWR);
  ASSERT_EQ(flock(lock, LOCK_EX | LOCK_NB), 0);
  EXPECT_EQ(Resume("run/checkpoints/step-2", {"--out", Path("branch")}).code, 0);
  EXPECT_THAT(Resume("run", {"--set", "training.steps=8"}), FailsWith(2, HasSubstr("another trainer")));
  close(lock);
  EXPECT_EQ(Model("branch"), Model("run"));
}

TEST_F(BranchAppTest, ABranchOfARunThatRemovesItsOldCheckpointsFindsOne) {
  ASSERT_EQ(Train("run").code, 0);
  std::atomic<bool> done{false};
  std::thread trainer([&] {
    CheckpointData data = CheckpointStore::Load(FileSystem::Default(), dir_ / "run/checkpoints/step-6");
    CheckpointStore store(FileSystem::Default(), dir_ / "run/checkpoints", 1);
    while (!done) {
      ++data.state.step;
      for (NamedTensor& named : data.optimizer) {
        if (named.name == "step") named.tensor = CountTensor(data.state.step);
      }
      store.Save(data);
    }
  });
  for (int i = 0; i < 10; ++i) {
    const Outcome branch =
        Resume("run", {"--out", Path("branch-" + std::to_string(i)), "--set", "training.steps=1000000", "--dry-run"});
    EXPECT_EQ(branch.code, 0) << branch.err;
    EXPECT_EQ(Resume("run", {"--set", "training.steps=1000000", "--dry-run"}).code, 0);
  }
  done = true;
  trainer.join();
}

TEST_F(BranchAppTest, ABranchIsNeverMadeOntoTheRunItself) {
  ASSERT_EQ(Train("run").code, 0);
  fs::create_directory_symlink(dir_ / "run", dir_ / "link");
  const auto before = SnapshotOf(dir_ / "run");
  for (const char* out : {"run", "run/", "link", "run/checkpoints/new", "run/../run"}) {
    EXPECT_THAT(Resume("run/checkpoints/step-2", {"--out", Path(out), "--overwrite"}),
                FailsWith(2, HasSubstr("the folder of the run ")))
        << out;
  }
  EXPECT_EQ(SnapshotOf(dir_ / "run"), before);
  ASSERT_EQ(Resume("run/checkpoints/step-2", {"--out", Path("branch")}).code, 0);
  EXPECT_THAT(Resume("run/checkpoints/step-2", {"--out", Path("branch")}), FailsWith(2, HasSubstr("exists already")));
}

}  // namespace
}  // namespace twofour::train
