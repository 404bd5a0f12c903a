#include "twofour/core/io/file_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour {
namespace {

namespace fs = std::filesystem;

using test::TempDir;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;

LockAttempt Try(const fs::path& path, const std::function<void()>& after_opening = {}) {
  return internal::TryPosixLock(path, LockKind::kExclusive, MakeFile::kYes, after_opening);
}

/// Returns a function that does something the first time it is called, and nothing later.
std::function<void()> Once(const std::function<void()>& action) {
  return [action, done = std::make_shared<bool>(false)] {
    if (!std::exchange(*done, true)) action();
  };
}

TEST(FileLockTest, AFileThatIsReplacedBeforeItIsLockedIsNotTheOneThatIsLocked) {
  const TempDir dir;
  const fs::path path = dir / "lock", other = dir / "other";
  LockAttempt holder;
  // Another process, which holds the lock of the new file, puts it in the old one's place.
  const auto replace = Once([&] {
    holder = Try(other);
    fs::rename(other, path);
  });
  WriteTextFile(path, "");
  EXPECT_EQ(Try(path, replace).result, LockResult::kHeldElsewhere);
  holder.lock.reset();
  EXPECT_EQ(Try(path).result, LockResult::kTaken);
}

TEST(FileLockTest, AFileThatIsRemovedBeforeItIsLockedIsMadeAgain) {
  const TempDir dir;
  const fs::path path = dir / "lock";
  LockAttempt lock = Try(path, Once([&] { fs::remove(path); }));
  EXPECT_EQ(lock.result, LockResult::kTaken);
  EXPECT_EQ(Try(path).result, LockResult::kHeldElsewhere);
  lock.lock.reset();
  // Where the file is not to be made, it is missing then.
  EXPECT_ERROR(internal::TryPosixLock(path, LockKind::kShared, MakeFile::kNo, Once([&] { fs::remove(path); })),
               ErrorKind::kRuntimeFailure, HasSubstr("cannot open"));
}

TEST(FileLockTest, AFolderThatIsReplacedBeforeItIsLockedIsNotTheOneThatIsLocked) {
  const TempDir dir;
  const fs::path path = dir / "folder", other = dir / "other";
  fs::create_directory(path);
  fs::create_directory(other);
  const LockAttempt holder = Try(other);
  const auto replace = Once([&] {
    fs::rename(path, dir / "old");
    fs::rename(other, path);
  });
  EXPECT_EQ(Try(path, replace).result, LockResult::kHeldElsewhere);
}

TEST(FileLockTest, ALockOnTheOldFileDoesNotKeepAnybodyOutOfTheNewOne) {
  const TempDir dir;
  const fs::path path = dir / "lock";
  const LockAttempt old = Try(path);
  EXPECT_EQ(Try(path, Once([&] { fs::rename(path, dir / "old"); })).result, LockResult::kTaken);
}

TEST(FileLockTest, AFileThatIsReplacedAgainAndAgainIsAnErrorInTheEnd) {
  const TempDir dir;
  const fs::path path = dir / "lock";
  EXPECT_ERROR(Try(path, [&] { fs::remove(path); }), ErrorKind::kRuntimeFailure,
               AllOf(HasSubstr("cannot lock " + path.string()), HasSubstr("replaced")));
}

}  // namespace
}  // namespace twofour
