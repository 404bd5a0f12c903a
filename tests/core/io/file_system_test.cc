#include "twofour/core/io/file_system.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "twofour/core/error.h"

#include "tests/support/faulty_file_system.h"
#include "tests/support/temp_dir.h"

namespace twofour {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using twofour::test::FaultyFileSystem;
using twofour::test::TempDir;

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

void Write(FileSystem& fs, const std::filesystem::path& path, std::string_view text) {
  const std::span<const std::byte> pieces[] = {Bytes(text)};
  fs.WriteFile(path, pieces);
}

void WriteAtomically(FileSystem& fs, const std::filesystem::path& path, std::string_view text) {
  const std::span<const std::byte> pieces[] = {Bytes(text)};
  WriteFileAtomically(fs, path, pieces);
}

std::string Read(FileSystem& fs, const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = fs.ReadFile(path, 1 << 20);
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

/// Runs `action`, which must throw, and returns the Error.
Error ErrorOf(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "expected an Error";
  return Error("none");
}

void ExpectFails(const std::function<void()>& action, ErrorKind kind, const std::filesystem::path& path,
                 const std::string& reason) {
  const Error error = ErrorOf(action);
  EXPECT_THAT(error.what(), AllOf(HasSubstr(path.string()), HasSubstr(reason)));
  EXPECT_EQ(error.kind(), kind) << error.what();
}

class FileSystemTest : public ::testing::Test {
 protected:
  TempDir dir_;
  FileSystem& fs_ = FileSystem::Default();
};

TEST_F(FileSystemTest, WritesPiecesInOrderAndReadsThemBack) {
  const std::span<const std::byte> pieces[] = {Bytes("one "), Bytes(""), Bytes("two "), Bytes("three")};
  fs_.WriteFile(dir_ / "file", pieces);
  EXPECT_EQ(Read(fs_, dir_ / "file"), "one two three");
}

TEST_F(FileSystemTest, WriteTruncatesWhatWasThere) {
  Write(fs_, dir_ / "file", "a long text");
  Write(fs_, dir_ / "file", "short");
  EXPECT_EQ(Read(fs_, dir_ / "file"), "short");
  fs_.WriteFile(dir_ / "file", {});
  EXPECT_EQ(Read(fs_, dir_ / "file"), "");
}

TEST_F(FileSystemTest, ReadIsBoundedByMaxBytes) {
  Write(fs_, dir_ / "file", "12345");
  EXPECT_EQ(fs_.ReadFile(dir_ / "file", 5).size(), 5u);
  ExpectFails([&] { fs_.ReadFile(dir_ / "file", 4); }, ErrorKind::kInvalidInput, dir_ / "file",
              "it holds 5 bytes, expected at most 4");
}

TEST_F(FileSystemTest, ReadRefusesWhatIsNoRegularFile) {
  ASSERT_EQ(::mkfifo((dir_ / "pipe").c_str(), 0600), 0);
  ExpectFails([&] { fs_.ReadFile(dir_ / "none", 9); }, ErrorKind::kInvalidInput, dir_ / "none",
              "No such file or directory");
  ExpectFails([&] { fs_.ReadFile(dir_.path(), 9); }, ErrorKind::kInvalidInput, dir_.path(), "Is a directory");
  ExpectFails([&] { fs_.ReadFile(dir_ / "pipe", 9); }, ErrorKind::kInvalidInput, dir_ / "pipe", "not a regular file");
}

TEST_F(FileSystemTest, WriteIntoMissingDirectoryOrOntoDirectoryIsRuntimeFailure) {
  ExpectFails([&] { Write(fs_, dir_ / "no" / "file", "x"); }, ErrorKind::kRuntimeFailure, dir_ / "no" / "file",
              "No such file or directory");
  ExpectFails([&] { Write(fs_, dir_.path(), "x"); }, ErrorKind::kRuntimeFailure, dir_.path(), "Is a directory");
}

TEST_F(FileSystemTest, FullDeviceIsReportedAndNotRemoved) {
  std::filesystem::create_symlink("/dev/full", dir_ / "full");
  if (!fs_.Exists(dir_ / "full")) GTEST_SKIP() << "this machine has no /dev/full";
  ExpectFails([&] { Write(fs_, dir_ / "full", "x"); }, ErrorKind::kRuntimeFailure, dir_ / "full",
              "No space left on device");
  EXPECT_TRUE(fs_.Exists(dir_ / "full"));
}

/// Limits the size of any file that this process writes: the kernel then shortens one write and refuses the next.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : old_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_limit_);
    const rlimit limit{bytes, old_limit_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_limit_);
    std::signal(SIGXFSZ, old_handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  void (*old_handler_)(int);
  rlimit old_limit_{};
};

TEST_F(FileSystemTest, FailedWriteLeavesNoPartialFile) {
  const FileSizeLimit limit(100);
  ExpectFails([&] { Write(fs_, dir_ / "file", std::string(101, 'x')); }, ErrorKind::kRuntimeFailure, dir_ / "file",
              "File too large");
  EXPECT_THAT(fs_.ListDirectory(dir_.path()), IsEmpty());
  Write(fs_, dir_ / "file", std::string(100, 'x'));
  EXPECT_EQ(Read(fs_, dir_ / "file"), std::string(100, 'x'));
}

TEST_F(FileSystemTest, CreateDirectoriesMakesParentsAndIsIdempotent) {
  fs_.CreateDirectories(dir_ / "a" / "b" / "c");
  fs_.CreateDirectories(dir_ / "a" / "b" / "c");
  EXPECT_TRUE(std::filesystem::is_directory(dir_ / "a" / "b" / "c"));
  Write(fs_, dir_ / "file", "x");
  ExpectFails([&] { fs_.CreateDirectories(dir_ / "file"); }, ErrorKind::kRuntimeFailure, dir_ / "file",
              "Not a directory");
  ExpectFails([&] { fs_.CreateDirectories(dir_ / "file" / "sub"); }, ErrorKind::kRuntimeFailure, dir_ / "file",
              "Not a directory");
}

TEST_F(FileSystemTest, RenameReplacesFilesAcrossDirectories) {
  fs_.CreateDirectories(dir_ / "a");
  Write(fs_, dir_ / "a" / "new", "new");
  Write(fs_, dir_ / "file", "old");
  fs_.Rename(dir_ / "a" / "new", dir_ / "file");
  EXPECT_EQ(Read(fs_, dir_ / "file"), "new");
  EXPECT_THAT(fs_.ListDirectory(dir_ / "a"), IsEmpty());
}

TEST_F(FileSystemTest, FailedRenameNamesBothPaths) {
  const Error error = ErrorOf([&] { fs_.Rename(dir_ / "none", dir_ / "file"); });
  EXPECT_EQ(error.what(), "cannot rename " + (dir_ / "none").string() + " to " + (dir_ / "file").string() +
                              ": No such file or directory");
  EXPECT_EQ(error.kind(), ErrorKind::kRuntimeFailure);
}

TEST_F(FileSystemTest, SyncDirectoryWantsADirectory) {
  fs_.SyncDirectory(dir_.path());
  Write(fs_, dir_ / "file", "x");
  ExpectFails([&] { fs_.SyncDirectory(dir_ / "file"); }, ErrorKind::kRuntimeFailure, dir_ / "file", "Not a directory");
}

TEST_F(FileSystemTest, ListDirectoryIsSortedAndWantsADirectory) {
  for (const char* name : {"b", "a10", ".hidden", "a9", "B"}) Write(fs_, dir_ / name, "x");
  EXPECT_THAT(fs_.ListDirectory(dir_.path()), ElementsAre(".hidden", "B", "a10", "a9", "b"));
  ExpectFails([&] { fs_.ListDirectory(dir_ / "none"); }, ErrorKind::kInvalidInput, dir_ / "none",
              "No such file or directory");
  ExpectFails([&] { fs_.ListDirectory(dir_ / "a9"); }, ErrorKind::kInvalidInput, dir_ / "a9", "Not a directory");
}

TEST_F(FileSystemTest, RemoveAllRemovesTreesAndLinksButNotTheirTargets) {
  fs_.CreateDirectories(dir_ / "tree" / "sub");
  Write(fs_, dir_ / "tree" / "sub" / "file", "x");
  Write(fs_, dir_ / "target", "kept");
  fs_.ReplaceSymlink(dir_ / "link", "target");
  fs_.RemoveAll(dir_ / "tree");
  fs_.RemoveAll(dir_ / "link");
  fs_.RemoveAll(dir_ / "none");
  EXPECT_THAT(fs_.ListDirectory(dir_.path()), ElementsAre("target"));
}

TEST_F(FileSystemTest, ExistsFollowsLinks) {
  Write(fs_, dir_ / "file", "x");
  fs_.ReplaceSymlink(dir_ / "good", "file");
  fs_.ReplaceSymlink(dir_ / "dangling", "none");
  EXPECT_TRUE(fs_.Exists(dir_ / "file"));
  EXPECT_TRUE(fs_.Exists(dir_.path()));
  EXPECT_TRUE(fs_.Exists(dir_ / "good"));
  EXPECT_FALSE(fs_.Exists(dir_ / "dangling"));
  EXPECT_FALSE(fs_.Exists(dir_ / "none"));
  EXPECT_FALSE(fs_.Exists(dir_ / "file" / "below"));
}

TEST_F(FileSystemTest, ReplaceSymlinkReplacesLinksAndStaleTemporaries) {
  Write(fs_, TemporaryPathFor(dir_ / "latest"), "left behind by a killed process");
  fs_.ReplaceSymlink(dir_ / "latest", "step_1");
  fs_.ReplaceSymlink(dir_ / "latest", "step_2");
  EXPECT_EQ(std::filesystem::read_symlink(dir_ / "latest"), "step_2");
  EXPECT_THAT(fs_.ListDirectory(dir_.path()), ElementsAre("latest"));
}

TEST_F(FileSystemTest, ReplaceSymlinkRefusesADirectoryInItsPlace) {
  fs_.CreateDirectories(dir_ / "latest");
  ExpectFails([&] { fs_.ReplaceSymlink(dir_ / "latest", "step_1"); }, ErrorKind::kRuntimeFailure, dir_ / "latest",
              "Is a directory");
  EXPECT_THAT(fs_.ListDirectory(dir_.path()), ElementsAre("latest"));
}

TEST_F(FileSystemTest, ExchangeSwapsTwoNames) {
  fs_.CreateDirectories(dir_ / "one");
  Write(fs_, dir_ / "one/file", "1");
  fs_.CreateDirectories(dir_ / "other");
  if (!fs_.Exchange(dir_ / "one", dir_ / "other")) GTEST_SKIP() << "this file system cannot";
  EXPECT_THAT(fs_.ListDirectory(dir_ / "one"), IsEmpty());
  EXPECT_EQ(Read(fs_, dir_ / "other/file"), "1");
  EXPECT_THAT(ErrorOf([&] { fs_.Exchange(dir_ / "one", dir_ / "none"); }).what(), HasSubstr("cannot exchange"));
}

TEST_F(FileSystemTest, RenameDirectoryRenamesOrSaysWhy) {
  fs_.CreateDirectories(dir_ / "one/sub");
  EXPECT_TRUE(fs_.RenameDirectory(dir_ / "one", dir_ / "other"));
  EXPECT_THAT(fs_.ListDirectory(dir_ / "other"), ElementsAre("sub"));
  ExpectFails([&] { fs_.RenameDirectory(dir_ / "none", dir_ / "x"); }, ErrorKind::kRuntimeFailure, dir_ / "none",
              "No such file or directory");
}

TEST_F(FileSystemTest, MountPointsAreNotGivenAway) {
  EXPECT_FALSE(fs_.CanGiveAway("/"));
  EXPECT_FALSE(fs_.CanGiveAway("/proc"));
  fs_.CreateDirectories(dir_ / "folder");
  EXPECT_TRUE(fs_.CanGiveAway(dir_ / "folder"));
}

TEST_F(FileSystemTest, ALockIsTakenOnceOrSharedAmongReaders) {
  Write(fs_, dir_ / "file", "x");
  for (const FileSystem::Path& path : {dir_ / "file", dir_.path()}) {  // Directories have locks, too.
    LockAttempt one = fs_.TryLock(path, LockKind::kShared);
    const LockAttempt other = fs_.TryLock(path, LockKind::kShared);
    EXPECT_EQ(one.result, LockResult::kTaken);
    EXPECT_EQ(other.result, LockResult::kTaken);
    EXPECT_EQ(fs_.TryLock(path, LockKind::kExclusive).result, LockResult::kHeldElsewhere);
    EXPECT_EQ(fs_.TryLock(path, LockKind::kExclusive).lock, nullptr);
  }
  const LockAttempt alone = fs_.TryLock(dir_ / "file", LockKind::kExclusive);
  EXPECT_EQ(alone.result, LockResult::kTaken);
  EXPECT_EQ(fs_.TryLock(dir_ / "file", LockKind::kShared).result, LockResult::kHeldElsewhere);
}

TEST_F(FileSystemTest, ALockMakesItsFileWhereThatIsAskedFor) {
  ExpectFails([&] { fs_.TryLock(dir_ / "none", LockKind::kShared); }, ErrorKind::kRuntimeFailure, dir_ / "none",
              "No such file or directory");
  EXPECT_EQ(fs_.TryLock(dir_ / "none", LockKind::kShared, MakeFile::kYes).result, LockResult::kTaken);
  EXPECT_EQ(Read(fs_, dir_ / "none"), "");
  ExpectFails([&] { fs_.TryLock(dir_ / "no/folder", LockKind::kShared, MakeFile::kYes); }, ErrorKind::kRuntimeFailure,
              dir_ / "no/folder", "No such file or directory");
}

TEST_F(FileSystemTest, AtomicWriteReplacesAndLeavesNothingBeside) {
  WriteAtomically(fs_, dir_ / "file", "old");
  WriteAtomically(fs_, dir_ / "file", "new");
  EXPECT_EQ(Read(fs_, dir_ / "file"), "new");
  EXPECT_THAT(fs_.ListDirectory(dir_.path()), ElementsAre("file"));
}

TEST_F(FileSystemTest, AtomicWriteTakesANameInTheWorkingDirectory) {
  EXPECT_EQ(TemporaryPathFor("file").parent_path(), ".");
  EXPECT_THAT(TemporaryPathFor("file").filename().string(), ::testing::StartsWith(".file.tmp-"));
}

TEST_F(FileSystemTest, AtomicWriteWantsAFileName) {
  EXPECT_EQ(ErrorOf([&] { WriteAtomically(fs_, dir_ / "", "x"); }).kind(), ErrorKind::kInvalidInput);
}

TEST_F(FileSystemTest, AtomicWriteOnFullDiskKeepsThePreviousFile) {
  WriteAtomically(fs_, dir_ / "file", "old contents");
  for (uint64_t room = 0; room < 12; ++room) {
    FaultyFileSystem faulty;
    faulty.FailAfterBytes(room);
    ExpectFails([&] { WriteAtomically(faulty, dir_ / "file", "new contents"); }, ErrorKind::kRuntimeFailure,
                dir_.path(), "No space left on device");
    EXPECT_EQ(Read(fs_, dir_ / "file"), "old contents");
    EXPECT_THAT(fs_.ListDirectory(dir_.path()), ElementsAre("file"));
  }
  FaultyFileSystem faulty;
  faulty.FailAfterBytes(12);
  WriteAtomically(faulty, dir_ / "file", "new contents");
  EXPECT_EQ(Read(fs_, dir_ / "file"), "new contents");
}

TEST_F(FileSystemTest, AtomicWriteSurvivesAFaultInEachCall) {
  WriteAtomically(fs_, dir_ / "file", "old");
  for (int call : {1, 2}) {
    FaultyFileSystem faulty;
    faulty.FailAtCall(call);
    ErrorOf([&] { WriteAtomically(faulty, dir_ / "file", "new"); });
    EXPECT_EQ(faulty.mutating_calls(), call + 1) << "the temporary file is removed after the fault";
    EXPECT_EQ(Read(fs_, dir_ / "file"), "old");
    EXPECT_THAT(fs_.ListDirectory(dir_.path()), ElementsAre("file"));
  }
}

TEST_F(FileSystemTest, AtomicWriteKilledHalfwayKeepsThePreviousFile) {
  WriteAtomically(fs_, dir_ / "file", "old");
  FaultyFileSystem faulty;
  faulty.CrashAtCall(1);
  ErrorOf([&] { WriteAtomically(faulty, dir_ / "file", "contents"); });
  EXPECT_EQ(Read(fs_, dir_ / "file"), "old");
  EXPECT_EQ(Read(fs_, TemporaryPathFor(dir_ / "file")), "cont");
  faulty.Heal();
  WriteAtomically(faulty, dir_ / "file", "contents");
  EXPECT_EQ(Read(fs_, dir_ / "file"), "contents");
  EXPECT_THAT(fs_.ListDirectory(dir_.path()), ElementsAre("file"));
}

}  // namespace
}  // namespace twofour
