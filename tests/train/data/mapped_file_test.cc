#include "twofour/train/data/mapped_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "twofour/core/error.h"

#include "tests/support/temp_dir.h"
#include "tests/train/data/test_files.h"

namespace twofour::train {
namespace {

using ::testing::ElementsAreArray;
using ::testing::ThrowsMessage;

class MappedFileTest : public ::testing::Test {
 protected:
  void ExpectError(const std::filesystem::path& path, const std::string& reason) {
    EXPECT_THAT([&] { MappedFile file(path); }, ThrowsMessage<Error>("cannot read " + path.string() + ": " + reason));
  }

  test::TempDir dir_;
};

TEST_F(MappedFileTest, HoldsTheBytes) {
  const std::string text("one\0two\xff", 8);
  const MappedFile file(WriteTestFile(dir_ / "text", text));
  EXPECT_THAT(file.bytes(), ElementsAreArray(ToBytes(text)));
  EXPECT_EQ(file.path(), (dir_ / "text").string());
}

TEST_F(MappedFileTest, OutlivesItsName) {
  const MappedFile file(WriteTestFile(dir_ / "text", "abc"));
  std::filesystem::remove(dir_ / "text");
  EXPECT_THAT(file.bytes(), ElementsAreArray(ToBytes("abc")));
}

TEST_F(MappedFileTest, Errors) {
  ExpectError(dir_ / "nothing", "No such file or directory");
  ExpectError(dir_.path(), "Is a directory");
  WriteTestFile(dir_ / "empty", "");
  ExpectError(dir_ / "empty", "it is empty");
  ASSERT_EQ(::mkfifo((dir_ / "pipe").c_str(), 0600), 0);
  ExpectError(dir_ / "pipe", "it is not a regular file");
  ExpectError("/dev/null", "it is not a regular file");
}

TEST_F(MappedFileTest, RefusesWhatItMayNotRead) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
  WriteTestFile(dir_ / "secret", "x");
  std::filesystem::permissions(dir_ / "secret", std::filesystem::perms::none);
  ExpectError(dir_ / "secret", "Permission denied");
}

}  // namespace
}  // namespace twofour::train
