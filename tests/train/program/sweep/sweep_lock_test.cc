#include "twofour/train/program/sweep/sweep_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/expect_error.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/temp_dir.h"

namespace twofour::train {
namespace {

using ::testing::HasSubstr;

TEST(SweepLockTest, IsHeldByOneAtATime) {
  const test::TempDir dir;
  {
    const SweepLock lock(FileSystem::Default(), dir.path());
    EXPECT_ERROR(SweepLock(FileSystem::Default(), dir.path()), ErrorKind::kInvalidInput,
                 HasSubstr("another sweep is at work"));
  }
  EXPECT_NO_THROW(SweepLock(FileSystem::Default(), dir.path()));
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST(SweepLockTest, WhereThereAreNoLocksNobodyIsKeptOut) {
  const test::TempDir dir;
  test::FaultyFileSystem files;
  EXPECT_TRUE(SweepLock(files, dir.path()).supported());
  files.LackLocks();
  const SweepLock lock(files, dir.path());
  EXPECT_FALSE(lock.supported());
  EXPECT_FALSE(SweepLock::IsHeld(files, dir.path()));
}

TEST(SweepLockTest, NeedsAFolder) {
  const test::TempDir dir;
  EXPECT_ERROR(SweepLock(FileSystem::Default(), dir / "none"), ErrorKind::kRuntimeFailure, HasSubstr("none"));
}

TEST(SweepLockTest, OthersCanSeeThatItIsHeld) {
  const test::TempDir dir;
  EXPECT_FALSE(SweepLock::IsHeld(FileSystem::Default(), dir.path()));
  EXPECT_FALSE(SweepLock::IsHeld(FileSystem::Default(), dir / "none"));
  const SweepLock lock(FileSystem::Default(), dir.path());
  EXPECT_TRUE(SweepLock::IsHeld(FileSystem::Default(), dir.path()));
}

}  // namespace
}  // namespace twofour::train
