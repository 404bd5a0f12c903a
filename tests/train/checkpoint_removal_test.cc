// When checkpoints are removed, and what those see who read them meanwhile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/train/checkpoint.h"

#include "tests/support/faulty_file_system.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"
#include "tests/train/checkpoint_fixture.h"
#include "tests/train/interrupted_file_system.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::CheckpointFixture;
using test::FaultyFileSystem;
using test::MakeData;
using test::TempDir;
using test::WriteTextFile;
using ::testing::ElementsAre;

class CheckpointRemovalTest : public CheckpointFixture {};

TEST_F(CheckpointRemovalTest, OneThatIsHeldIsRemovedOnlyByALaterSave) {
  CheckpointStore store(files_, dir_.path(), 1);
  store.Save(MakeData(1));
  std::shared_ptr<FileLock> hold, other_hold;
  ASSERT_TRUE(CheckpointStore::Hold(files_, dir_ / "step-1", hold));
  ASSERT_TRUE(CheckpointStore::Hold(files_, dir_ / "step-1", other_hold));
  store.Save(MakeData(2));
  hold.reset();
  store.Save(MakeData(3));
  EXPECT_THAT(Names(), ElementsAre("last", "step-1", "step-3"));
  EXPECT_TRUE(IsWhole(dir_ / "step-1", 1));
  other_hold.reset();
  store.Save(MakeData(4));
  EXPECT_THAT(Names(), ElementsAre("last", "step-4"));
  EXPECT_FALSE(CheckpointStore::Hold(files_, dir_ / "step-1", hold));
}

TEST_F(CheckpointRemovalTest, OneThatIsBeingRemovedCannotBeHeld) {
  CheckpointStore(files_, dir_.path(), 1).Save(MakeData(1));
  std::shared_ptr<FileLock> hold;
  const LockAttempt removing = files_.TryLock(dir_ / "step-1/trainer.json", LockKind::kExclusive);
  EXPECT_FALSE(CheckpointStore::Hold(files_, dir_ / "step-1", hold));
}

TEST_F(CheckpointRemovalTest, WithoutLocksNoneIsHeldAndAllAreRemoved) {
  FaultyFileSystem files;
  files.LackLocks();
  CheckpointStore store(files, dir_.path(), 1);
  store.Save(MakeData(1));
  std::shared_ptr<FileLock> hold;
  EXPECT_TRUE(CheckpointStore::Hold(files, dir_ / "step-1", hold));
  EXPECT_EQ(hold, nullptr);
  store.Save(MakeData(2));
  EXPECT_THAT(Names(), ElementsAre("last", "step-2"));
}

TEST_F(CheckpointRemovalTest, NoLockIsHeldInOneThatIsRemoved) {
  for (const bool movable : {true, false}) {
    const TempDir dir;
    FaultyFileSystem nfs;
    nfs.KeepOpenFiles();
    if (!movable) nfs.RenameFilesOnly(".tmp-");
    CheckpointStore store(nfs, dir.path(), 1);
    for (int64_t step : {1, 2, 3}) store.Save(MakeData(step));
    EXPECT_THAT(files_.ListDirectory(dir.path()), ElementsAre("last", "step-3"));
  }
}

TEST_F(CheckpointRemovalTest, OneThatIsBeingRemovedCannotBeHeldAtAnyMoment) {
  for (const bool movable : {true, false}) {
    const TempDir dir;
    FaultyFileSystem watched;
    if (!movable) watched.RenameFilesOnly(".tmp-");
    CheckpointStore store(watched, dir.path(), 1);
    store.Save(MakeData(1));
    int looks = 0;
    watched.Watch([&](const fs::path& path) {
      if (CheckpointStore(files_, dir.path(), 1).Newest() != dir / "step-2" || path == dir / "last") return;
      ++looks;
      std::shared_ptr<FileLock> hold;
      EXPECT_FALSE(CheckpointStore::Hold(files_, dir / "step-1", hold)) << path;
    });
    store.Save(MakeData(2));
    EXPECT_GT(looks, 2);
  }
}

TEST_F(CheckpointRemovalTest, AHalfRemovedOneIsNeverThereWheneverItVanishes) {
  for (int look = 1;; ++look) {
    SCOPED_TRACE(look);
    bool interrupted = false;
    const auto with_files = [&](auto use) {
      fs::create_directory(dir_ / "step-1");
      WriteTextFile(dir_ / "step-1/.tmp-removed", "");
      test::InterruptedFileSystem files(look, [&] { fs::remove_all(dir_ / "step-1"); });
      use(files);
      interrupted = interrupted || files.was_interrupted();
    };
    with_files([&](FileSystem& files) {
      std::shared_ptr<FileLock> hold;
      EXPECT_FALSE(CheckpointStore::Hold(files, dir_ / "step-1", hold));
    });
    with_files([&](FileSystem& files) { EXPECT_EQ(CheckpointStore(files, dir_.path(), 1).Find(1), std::nullopt); });
    if (!interrupted) break;
  }
}

TEST_F(CheckpointRemovalTest, AReaderWithoutAHoldEndsNoRunOnANetworkFileSystem) {
  for (const bool exchanges : {true, false}) {
    const TempDir dir;
    FaultyFileSystem nfs;
    nfs.KeepOpenFiles();
    if (!exchanges) nfs.LackExchange();
    CheckpointStore store(nfs, dir.path(), 1);
    const auto read = [&](int64_t step) { return files_.OpenFile(store.PathOf(step) / "model.safetensors", 1 << 20); };
    store.Save(MakeData(1));
    {
      const auto first = read(1);
      store.Save(MakeData(2));
      const auto second = read(2);
      store.Save(MakeData(2, 2));  // Replaces it.
      EXPECT_EQ(store.Steps(), std::vector<int64_t>{2});
      EXPECT_TRUE(IsWhole(dir / "last", 2));
      EXPECT_TRUE(IsWhole(dir / "best", 2));
      EXPECT_THAT(files_.ListDirectory(dir.path()), ::testing::Contains(".tmp-old-step-1"));
      EXPECT_NO_THROW(store.PrepareToResume({.step = 2, .best_step = 2}));
    }
    store.PrepareToResume({.step = 2, .best_step = 2});
    EXPECT_THAT(files_.ListDirectory(dir.path()), ElementsAre("best", "last", "step-2"));
  }
}

}  // namespace
}  // namespace twofour::train
