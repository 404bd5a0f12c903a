#include "twofour/train/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "twofour/core/io/safetensors.h"

#include "tests/support/expect_error.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"
#include "tests/train/checkpoint_fixture.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::CheckpointFixture;
using test::FaultyFileSystem;
using test::MakeData;
using test::ReadTextFile;
using test::TempDir;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class CheckpointTest : public CheckpointFixture {};

TEST_F(CheckpointTest, ComesBackAsItWasSaved) {
  CheckpointStore store(files_, dir_.path(), 3);
  store.Save(MakeData(7, 7));
  ASSERT_EQ(store.Newest(), dir_ / "step-7");
  const CheckpointData data = CheckpointStore::Load(files_, *store.Newest());
  EXPECT_EQ(data.state.step, 7);
  EXPECT_EQ(data.state.best_step, 7);
  EXPECT_EQ(data.state.best_loss, 0.5);
  ASSERT_EQ(data.model.size(), 2u);
  EXPECT_EQ(data.model[1].name, "a.bias");
  EXPECT_EQ(data.optimizer[0].tensor.item(), 7);
  EXPECT_TRUE(IsWhole(dir_ / "last", 7));
  EXPECT_TRUE(IsWhole(dir_ / "best", 7));
}

TEST_F(CheckpointTest, FilesThatWereNotFetchedAreCalledByTheirName) {
  CheckpointStore store(files_, dir_.path(), 3);
  store.Save(MakeData(7));
  const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n";
  for (const char* name : {"trainer.json", "model.safetensors", "optimizer.safetensors"}) {
    const std::string whole = ReadTextFile(dir_ / "step-7" / name);
    WriteTextFile(dir_ / "step-7" / name, pointer);
    EXPECT_ERROR(CheckpointStore::Load(files_, dir_ / "step-7"), ErrorKind::kInvalidInput,
                 HasSubstr(std::string(name) + ": a git-lfs pointer in place of the file"));
    WriteTextFile(dir_ / "step-7" / name, whole);
  }
  EXPECT_NO_THROW(CheckpointStore::Load(files_, dir_ / "step-7"));
}

TEST_F(CheckpointTest, FindsACheckpointByItsStep) {
  CheckpointStore store(files_, dir_.path(), 3);
  store.Save(MakeData(7));
  EXPECT_EQ(store.Find(7), dir_ / "step-7");
  EXPECT_EQ(store.Find(0), std::nullopt);
}

TEST_F(CheckpointTest, KeepsTheNewestAndTheBest) {
  CheckpointStore store(files_, dir_.path(), 2);
  for (int64_t step : {10, 20, 30, 100, 200}) store.Save(MakeData(step, 20));
  EXPECT_THAT(Names(), ElementsAre("best", "last", "step-100", "step-20", "step-200"));
  EXPECT_TRUE(IsWhole(dir_ / "best", 20));
  EXPECT_TRUE(IsWhole(dir_ / "last", 200));
}

TEST_F(CheckpointTest, NewestGoesByNumberAndIgnoresOtherNames) {
  CheckpointStore store(files_, dir_.path(), 5);
  EXPECT_EQ(store.Newest(), std::nullopt);
  store.Save(MakeData(9));
  store.Save(MakeData(10));
  for (const char* name : {".tmp-step-11", "step-", "step-x", "step--3", "step-12x", "step-99999999999999999999"}) {
    fs::create_directory(dir_ / name);
  }
  EXPECT_EQ(store.Newest(), dir_ / "step-10");
}

TEST_F(CheckpointTest, SavingAStepAgainReplacesIt) {
  CheckpointStore store(files_, dir_.path(), 2);
  store.Save(MakeData(5));
  CheckpointData other = MakeData(5);
  other.model[0].tensor.Fill(42);
  store.Save(other);
  EXPECT_EQ(CheckpointStore::Load(files_, dir_ / "step-5").model[0].tensor.ToVector()[0], 42);
}

TEST_F(CheckpointTest, PrepareToResumeRemovesLaterStepsLeftoversAndDanglingLinks) {
  CheckpointStore store(files_, dir_.path(), 5);
  for (int64_t step : {1, 2, 3}) store.Save(MakeData(step, 3));
  fs::create_directory(dir_ / ".tmp-step-9");
  fs::create_symlink("step-9", dir_ / TemporaryPathFor("last"));
  store.PrepareToResume({.step = 2, .best_step = 1});
  EXPECT_THAT(Names(), ElementsAre("best", "last", "step-1", "step-2"));
  EXPECT_TRUE(IsWhole(dir_ / "last", 2));
  EXPECT_TRUE(IsWhole(dir_ / "best", 1));
}

/// Kills at any moment, on disks that lack something.
class CheckpointKillTest : public CheckpointTest, public ::testing::WithParamInterface<const char*> {
 protected:
  static void Prepare(FaultyFileSystem& files) {
    if (GetParam() == std::string("without links")) files.LackLinks();
    if (GetParam() == std::string("renames files only")) files.RenameFilesOnly(".tmp-");
  }

  /// Also follows a file that stands for a link.
  bool IsWhole(const fs::path& path, int64_t step) {
    return CheckpointTest::IsWhole(CheckpointStore::FollowNamingFile(files_, path).value_or(path), step);
  }
};

TEST_F(CheckpointTest, AStateThatWaitsForItsEvaluationSaysSoAndLeavesOlderOnes) {
  CheckpointStore store(files_, dir_.path(), 1);
  store.Save(MakeData(1));
  EXPECT_THAT(ReadTextFile(dir_ / "last/trainer.json"), Not(HasSubstr("evaluation_pending")));
  CheckpointData data = MakeData(2);
  data.state.evaluation_pending = true;
  store.Save(data);
  EXPECT_TRUE(CheckpointStore::Load(files_, dir_ / "step-2").state.evaluation_pending);
  EXPECT_THAT(Names(), ElementsAre("last", "step-1", "step-2"));
  // After its evaluation the same step is saved again.
  store.Save(MakeData(2, 2));
  EXPECT_FALSE(CheckpointStore::Load(files_, dir_ / "step-2").state.evaluation_pending);
  EXPECT_TRUE(IsWhole(dir_ / "best", 2));
  EXPECT_THAT(Names(), ElementsAre("best", "last", "step-2"));
}

TEST_P(CheckpointKillTest, AKillWhileAStepIsSavedAgainLeavesAWholeCheckpoint) {
  for (int call = 1;; ++call) {
    const TempDir dir;
    FaultyFileSystem faulty;
    Prepare(faulty);
    CheckpointStore store(faulty, dir.path(), 2);
    store.Save(MakeData(1));
    store.Save(MakeData(2));
    faulty.CrashAtCall(call);
    bool crashed = false;
    try {
      store.Save(MakeData(2, 2));
    } catch (const Error&) {
      crashed = true;
    }
    const auto newest = CheckpointStore(files_, dir.path(), 2).Newest();
    ASSERT_TRUE(newest.has_value());
    EXPECT_TRUE(IsWhole(*newest, *newest == dir / "step-2" ? 2 : 1)) << "killed at call " << call;
    if (!crashed) break;
  }
}

TEST_F(CheckpointTest, AFullDiskLeavesTheLastGoodCheckpointWhole) {
  FaultyFileSystem faulty;
  CheckpointStore store(faulty, dir_.path(), 2);
  store.Save(MakeData(1, 1));
  for (uint64_t room = 0; room < 2000; room += 50) {
    faulty.FailAfterBytes(room);
    try {
      store.Save(MakeData(2, 1));
      faulty.Heal();
      break;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kRuntimeFailure);
      EXPECT_THAT(Names(), ElementsAre("best", "last", "step-1"));
      EXPECT_TRUE(IsWhole(dir_ / "last", 1));
    }
  }
  EXPECT_TRUE(IsWhole(dir_ / "last", 2));
}

TEST_P(CheckpointKillTest, AtAnyMomentLeavesAWholeNewestCheckpoint) {
  for (int call = 1;; ++call) {
    const TempDir dir;
    FaultyFileSystem faulty;
    Prepare(faulty);
    CheckpointStore store(faulty, dir.path(), 1);
    store.Save(MakeData(1, 1));
    store.Save(MakeData(2, 1));
    faulty.CrashAtCall(call);
    bool crashed = false;
    try {
      store.Save(MakeData(3, 3));
    } catch (const Error&) {
      crashed = true;
    }
    faulty.Heal();
    // A new process finds a whole checkpoint, continues from it and leaves nothing behind.
    CheckpointStore after(files_, dir.path(), 1);
    const auto newest = after.Newest();
    ASSERT_TRUE(newest.has_value());
    const int64_t step = *newest == dir / "step-3" ? 3 : 2;
    EXPECT_TRUE(IsWhole(*newest, step)) << "killed at call " << call;
    for (const int64_t saved : after.Steps()) EXPECT_TRUE(IsWhole(after.PathOf(saved), saved));
    after.PrepareToResume(CheckpointStore::Load(files_, *newest).state);
    EXPECT_TRUE(IsWhole(dir / "last", step));
    EXPECT_TRUE(IsWhole(dir / "best", step == 3 ? 3 : 1));
    if (step == 2) after.Save(MakeData(3, 3));  // A run does not save again the step it resumed from.
    after.Save(MakeData(4, 3));
    EXPECT_TRUE(IsWhole(dir / "last", 4));
    EXPECT_TRUE(IsWhole(dir / "best", 3));
    EXPECT_THAT(files_.ListDirectory(dir.path()), ElementsAre("best", "last", "step-3", "step-4"));
    if (!crashed) {
      EXPECT_GT(call, 8) << "a save has more steps than that to be killed at";
      break;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Disks, CheckpointKillTest, ::testing::Values("whole", "without links", "renames files only"));

TEST_F(CheckpointTest, WithoutLinksFilesNameTheLastAndTheBest) {
  FaultyFileSystem files;
  files.LackLinks();
  CheckpointStore store(files, dir_.path(), 1);
  store.Save(MakeData(1, 1));
  store.Save(MakeData(2, 1));
  EXPECT_THAT(Names(), ElementsAre("best", "last", "step-1", "step-2"));
  EXPECT_EQ(ReadTextFile(dir_ / "last"), "step-2\n");
  EXPECT_EQ(CheckpointStore::FollowNamingFile(files_, dir_ / "best"), dir_ / "step-1");
  WriteTextFile(dir_ / "last", "../../../elsewhere");
  EXPECT_EQ(CheckpointStore::FollowNamingFile(files_, dir_ / "last"), std::nullopt);
  EXPECT_EQ(CheckpointStore::FollowNamingFile(files_, dir_ / "step-1"), std::nullopt);
  store.PrepareToResume(CheckpointStore::LoadState(files_, dir_ / "step-1"));
  EXPECT_EQ(ReadTextFile(dir_ / "last"), "step-1\n");
}

TEST_F(CheckpointTest, WhereFoldersAreNotRenamedALinkLosesItsNameAndNotWhatItPointsTo) {
  const TempDir other;
  CheckpointStore(files_, other.path(), 1).Save(MakeData(1));
  fs::create_directory_symlink(other / "step-1", dir_ / "step-1");
  FaultyFileSystem overlay;
  overlay.RenameFilesOnly(".tmp-");
  CheckpointStore(overlay, dir_.path(), 1).Save(MakeData(2));
  EXPECT_THAT(Names(), ElementsAre("last", "step-2"));
  EXPECT_TRUE(IsWhole(other / "step-1", 1));
}

TEST_F(CheckpointTest, ACheckpointWithoutStateIsNotTakenForOneThatWasBeingRemoved) {
  CheckpointStore store(files_, dir_.path(), 1);
  store.Save(MakeData(3));
  fs::remove(dir_ / "step-3/trainer.json");
  EXPECT_THAT(store.Steps(), ElementsAre(3));  // It must cause an error, and no older one must replace it.
  fs::create_directory(dir_ / "step-4");
  EXPECT_THAT(store.Steps(), ElementsAre(3));
}

TEST_F(CheckpointTest, NamesTheTensorOfADamagedFile) {
  CheckpointStore(files_, dir_.path(), 1).Save(MakeData(3));
  const fs::path path = dir_ / "step-3/model.safetensors";
  std::string bytes = ReadTextFile(path);
  bytes[bytes.size() - 5 - sizeof(float)] ^= 1;  // Inside a.weight, which comes before the four bytes of a.bias.
  WriteTextFile(path, bytes);
  EXPECT_ERROR(CheckpointStore::Load(files_, dir_ / "step-3"), ErrorKind::kInvalidInput,
               AllOf(HasSubstr("model.safetensors"), HasSubstr("'a.weight'"), HasSubstr("damaged")));
}

TEST_F(CheckpointTest, ATypeThatNoCheckpointHasIsRefused) {
  CheckpointStore(files_, dir_.path(), 3).Save(MakeData(7));
  for (const DType dtype :
       {DType::kF16, DType::kBF16, DType::kF8E4M3, DType::kF8E5M2, DType::kI64, DType::kI16, DType::kI8, DType::kU8}) {
    const std::string type(InfoOf(dtype).safetensors_name);
    SaveSafetensors(files_, dir_ / "step-7/model.safetensors", {{"a.weight", Tensor::Zeros({8, 4}, dtype)}});
    EXPECT_ERROR(
        CheckpointStore::LoadModel(files_, dir_ / "step-7"), ErrorKind::kInvalidInput,
        HasSubstr("model.safetensors: tensor 'a.weight': dtype " + type + " [8, 4], expected F32, F64, I32 or BOOL"));
  }
}

TEST_F(CheckpointTest, EveryTruncationIsFoundOut) {
  CheckpointStore(files_, dir_.path(), 1).Save(MakeData(3));
  for (const char* name : {"model.safetensors", "optimizer.safetensors", "trainer.json"}) {
    const fs::path path = dir_ / "step-3" / name;
    const std::string whole = ReadTextFile(path);
    const size_t text_end = whole.find_last_not_of('\n') + 1;  // A file without its last newline is still whole.
    for (size_t size = 0; size < text_end; ++size) {
      WriteTextFile(path, whole.substr(0, size));
      EXPECT_ERROR(CheckpointStore::Load(files_, dir_ / "step-3"), ErrorKind::kInvalidInput, HasSubstr(name));
    }
    WriteTextFile(path, whole);
  }
  fs::remove(dir_ / "step-3/optimizer.safetensors");
  EXPECT_ERROR(CheckpointStore::Load(files_, dir_ / "step-3"), ErrorKind::kInvalidInput,
               HasSubstr("optimizer.safetensors"));
}

TEST_F(CheckpointTest, RejectsAStateThatMakesNoSense) {
  CheckpointStore(files_, dir_.path(), 1).Save(MakeData(3));
  for (const char* text :
       {"[]", "{}", "{\"step\":-1,\"best_step\":0,\"best_loss\":0}", "{\"step\":\"3\",\"best_step\":0,\"best_loss\":0}",
        "null", "{\"step\":3,\"best_step\":0}"}) {
    WriteTextFile(dir_ / "step-3/trainer.json", text);
    EXPECT_ERROR(CheckpointStore::Load(files_, dir_ / "step-3"), ErrorKind::kInvalidInput, HasSubstr("trainer.json"));
  }
}

TEST_F(CheckpointTest, FilesOfDifferentStepsAreFoundOut) {
  CheckpointStore store(files_, dir_.path(), 5);
  store.Save(MakeData(3));
  store.Save(MakeData(4));
  fs::copy_file(dir_ / "step-3/optimizer.safetensors", dir_ / "step-4/optimizer.safetensors",
                fs::copy_options::overwrite_existing);
  EXPECT_ERROR(CheckpointStore::Load(files_, dir_ / "step-4"), ErrorKind::kInvalidInput,
               AllOf(HasSubstr("'step'"), HasSubstr("says 3, expected 4")));
  WriteTextFile(dir_ / "step-3/trainer.json", "{\"step\":7,\"best_step\":0,\"best_loss\":0.5}");
  EXPECT_ERROR(CheckpointStore::Load(files_, dir_ / "step-3"), ErrorKind::kInvalidInput,
               HasSubstr("trainer.json says step 7"));
}

TEST_F(CheckpointTest, EqualStatesGiveEqualBytes) {
  CheckpointStore(files_, dir_ / "a", 1).Save(MakeData(3));
  CheckpointStore(files_, dir_ / "b", 1).Save(MakeData(3));
  for (const char* name : {"model.safetensors", "optimizer.safetensors", "trainer.json"}) {
    EXPECT_EQ(ReadTextFile(dir_ / "a/step-3" / name), ReadTextFile(dir_ / "b/step-3" / name));
  }
}

}  // namespace
}  // namespace twofour::train
