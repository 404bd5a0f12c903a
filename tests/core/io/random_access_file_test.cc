#include "twofour/core/io/random_access_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <thread>

#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour {
namespace {

namespace fs = std::filesystem;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// Like pread, but reads a few bytes at a time and is sometimes interrupted.
ssize_t ReadLittle(int descriptor, void* out, size_t count, off_t offset) {
  static int calls = 0;
  if (++calls % 3 == 0) {
    errno = EINTR;
    return -1;
  }
  return ::pread(descriptor, out, std::min<size_t>(count, 2), offset);
}

/// A disk with a bad spot: bytes 4 to 7.
ssize_t ReadFromBadDisk(int descriptor, void* out, size_t count, off_t offset) {
  if (offset < 8 && offset + static_cast<off_t>(count) > 4 && count < 100) {
    errno = EIO;
    return -1;
  }
  return ::pread(descriptor, out, count, offset);
}

class RandomAccessFileTest : public ::testing::Test {
 protected:
  RandomAccessFileTest() { WriteTextFile(path_, "0123456789"); }

  static std::string Read(const RandomAccessFile& file, int64_t offset, size_t count) {
    std::string text(count, '?');
    file.Read(offset, std::as_writable_bytes(std::span(text)));
    return text;
  }
  /// Overwrites a part of the file. The file gets another time, however coarse the file system's clock is.
  void Overwrite(int64_t offset, const std::string& text) {
    std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(offset);
    file << text;
    file.close();
    fs::last_write_time(path_, fs::last_write_time(path_) + std::chrono::seconds(5));
  }
  void ExpectError(const fs::path& path, const std::string& reason) {
    EXPECT_ERROR(RandomAccessFile{path}, ErrorKind::kInvalidInput, "cannot read " + path.string() + ": " + reason);
  }

  test::TempDir dir_;
  fs::path path_ = dir_ / "file";
};

TEST_F(RandomAccessFileTest, ReadsAnyPart) {
  const RandomAccessFile file(path_);
  EXPECT_EQ(file.size(), 10);
  EXPECT_EQ(file.path(), path_.string());
  EXPECT_EQ(Read(file, 0, 10), "0123456789");
  EXPECT_EQ(Read(file, 7, 3), "789");
  EXPECT_EQ(Read(file, 10, 0), "");
}

TEST_F(RandomAccessFileTest, ReadsOnWhereTheSystemReadsLessOrIsInterrupted) {
  const RandomAccessFile file(path_, ReadLittle);
  EXPECT_EQ(Read(file, 1, 9), "123456789");
}

TEST_F(RandomAccessFileTest, AFaultOfTheDiskNamesFileAndPlace) {
  WriteTextFile(path_, std::string(1000, 'x'));
  const RandomAccessFile file(path_, ReadFromBadDisk);
  EXPECT_EQ(Read(file, 0, 4), "xxxx");
  EXPECT_ERROR(Read(file, 3, 4), ErrorKind::kRuntimeFailure,
               AllOf(HasSubstr("cannot read " + path_.string()), HasSubstr("Input/output error (at byte 3)")));
}

TEST_F(RandomAccessFileTest, AShorterFileIsAnErrorThatNamesBothSizes) {
  const RandomAccessFile file(path_);
  fs::resize_file(path_, 4);
  EXPECT_EQ(Read(file, 0, 4), "0123");
  const auto shorter = HasSubstr("it has become shorter while it was being read: 4 bytes, expected 10");
  EXPECT_ERROR(Read(file, 2, 3), ErrorKind::kRuntimeFailure, shorter);
  EXPECT_ERROR(file.CheckUnchanged(), ErrorKind::kRuntimeFailure, shorter);
}

TEST_F(RandomAccessFileTest, OtherContentsOfTheSameSizeAreNoticed) {
  const RandomAccessFile file(path_);
  file.CheckUnchanged();
  Overwrite(5, "x");
  EXPECT_ERROR(file.CheckUnchanged(), ErrorKind::kRuntimeFailure, HasSubstr("its contents were changed"));
}

TEST_F(RandomAccessFileTest, AChangeIsNoticedAlthoughTheTimeOfWritingIsPutBack) {
  const RandomAccessFile file(path_);
  const fs::file_time_type before = fs::last_write_time(path_);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // The kernel's clock for files ticks more slowly.
  Overwrite(5, "x");
  fs::last_write_time(path_, before);
  EXPECT_ERROR(file.CheckUnchanged(), ErrorKind::kRuntimeFailure, HasSubstr("its contents were changed"));
}

TEST_F(RandomAccessFileTest, ALargeFileThatIsReplacedIsNoticed) {
  constexpr size_t kSize = 5'000'000;
  WriteTextFile(path_, std::string(kSize, 'a'));
  const RandomAccessFile file(path_);
  Overwrite(0, std::string(kSize, 'b'));
  EXPECT_ERROR(file.CheckUnchanged(), ErrorKind::kRuntimeFailure, HasSubstr("its contents were changed"));
}

TEST_F(RandomAccessFileTest, NewTimesAndNamesAndLaterBytesDoNoHarm) {
  const RandomAccessFile file(path_);
  Overwrite(0, "01");  // Writes the same bytes.
  file.CheckUnchanged();
  fs::rename(path_, dir_ / "elsewhere");
  WriteTextFile(path_, "another file");
  file.CheckUnchanged();
  WriteTextFile(dir_ / "elsewhere", "0123456789 and more");
  file.CheckUnchanged();
  EXPECT_EQ(file.size(), 10);
  fs::remove(dir_ / "elsewhere");
  file.CheckUnchanged();
  EXPECT_EQ(Read(file, 2, 3), "234");
}

TEST_F(RandomAccessFileTest, WhatCannotBeOpened) {
  ExpectError(dir_ / "nothing", "No such file or directory");
  ExpectError(dir_.path(), "Is a directory");
  WriteTextFile(dir_ / "empty", "");
  ExpectError(dir_ / "empty", "it is empty");
  ASSERT_EQ(::mkfifo((dir_ / "pipe").c_str(), 0600), 0);
  ExpectError(dir_ / "pipe", "it is not a regular file");
  ExpectError("/dev/null", "it is not a regular file");
}

TEST_F(RandomAccessFileTest, RefusesWhatItMayNotRead) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
  fs::permissions(path_, fs::perms::none);
  ExpectError(path_, "Permission denied");
}

}  // namespace
}  // namespace twofour
