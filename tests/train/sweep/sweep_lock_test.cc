#include "twofour/train/sweep/sweep_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"

namespace twofour::train {
namespace {

using ::testing::HasSubstr;

TEST(SweepLockTest, IsHeldByOneAtATime) {
  const test::TempDir dir;
  {
    const SweepLock lock(dir.path());
    EXPECT_ERROR(SweepLock(dir.path()), ErrorKind::kInvalidInput, HasSubstr("another sweep is at work"));
  }
  EXPECT_NO_THROW(SweepLock(dir.path()));
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST(SweepLockTest, NeedsAFolder) {
  const test::TempDir dir;
  EXPECT_ERROR(SweepLock(dir / "none"), ErrorKind::kRuntimeFailure, HasSubstr("none"));
}

TEST(SweepLockTest, OthersCanSeeThatItIsHeld) {
  const test::TempDir dir;
  EXPECT_FALSE(SweepLock::IsHeld(dir.path()));
  EXPECT_FALSE(SweepLock::IsHeld(dir / "none"));
  const SweepLock lock(dir.path());
  EXPECT_TRUE(SweepLock::IsHeld(dir.path()));
}

}  // namespace
}  // namespace twofour::train
