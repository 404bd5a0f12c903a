#include "twofour/core/io/file_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
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

TEST(FileLockTest, AFileThatSeemsToBeReplacedEachTimeIsLockedAllTheSame) {
  const TempDir dir;
  const fs::path path = dir / "lock", opened = dir / "opened";
  // As on a file system that numbers the opened file and the named one differently.
  const auto number_anew = [&] {
    fs::rename(path, opened);
    WriteTextFile(path, "");
  };
  const LockAttempt lock = Try(path, number_anew);
  EXPECT_EQ(lock.result, LockResult::kTaken);
  EXPECT_EQ(Try(opened).result, LockResult::kHeldElsewhere);
}

/// A child process that does something with its copy of what this process has, and then lives until this object ends.
class Child {
 public:
  explicit Child(const std::function<void()>& action) {
    std::array<int, 2> ready{}, end{};
    if (::pipe(ready.data()) != 0 || ::pipe(end.data()) != 0) throw Error("no pipe");
    char byte = 0;
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(end[1]);
      action();
      static_cast<void>(!::write(ready[1], &byte, 1));
      static_cast<void>(!::read(end[0], &byte, 1));
      ::_exit(0);
    }
    ::close(ready[1]);
    ::close(end[0]);
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    ::close(ready[0]);
    end_ = end[1];
  }
  ~Child() {
    ::close(end_);
    ::waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

 private:
  pid_t pid_;
  int end_;
};

TEST(FileLockTest, AChildProcessDoesNotKeepWhatItsParentDropped) {
  const TempDir dir;
  LockAttempt lock = Try(dir / "lock");
  const Child child([] {});
  EXPECT_EQ(Try(dir / "lock").result, LockResult::kHeldElsewhere);
  lock.lock.reset();
  EXPECT_EQ(Try(dir / "lock").result, LockResult::kTaken);
}

TEST(FileLockTest, AChildProcessDoesNotDropWhatItsParentHolds) {
  const TempDir dir;
  LockAttempt lock = Try(dir / "lock");
  const Child child([&] { lock.lock.reset(); });
  EXPECT_EQ(Try(dir / "lock").result, LockResult::kHeldElsewhere);
}

}  // namespace
}  // namespace twofour
