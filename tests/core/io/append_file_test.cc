#include "twofour/core/io/append_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/expect_error.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour {
namespace {

using test::FileSizeLimit;
using test::ReadTextFile;
using test::TempDir;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(AppendFileTest, ARecordIsInTheFileAtOnceAfterWhatIsThere) {
  const TempDir dir;
  test::WriteTextFile(dir / "f", "before\n");
  AppendFile file(dir / "f");
  file.Append("one\n");
  EXPECT_EQ(ReadTextFile(dir / "f"), "before\none\n");
  file.Append("");
  file.Append("two\n");
  EXPECT_EQ(ReadTextFile(dir / "f"), "before\none\ntwo\n");
}

TEST(AppendFileTest, ARecordForWhichThereIsNoRoomLeavesNothingBehind) {
  const TempDir dir;
  AppendFile file(dir / "f");
  file.Append("one\n");
  {
    const FileSizeLimit limit(10);  // Six bytes of the next record would fit.
    EXPECT_ERROR(file.Append("a long record\n"), ErrorKind::kRuntimeFailure,
                 AllOf(HasSubstr("cannot write to " + (dir / "f").string()), HasSubstr("File too large")));
  }
  EXPECT_EQ(ReadTextFile(dir / "f"), "one\n");
  file.Append("two\n");
  EXPECT_EQ(ReadTextFile(dir / "f"), "one\ntwo\n");
}

TEST(AppendFileTest, SaysWhatItCannotDo) {
  EXPECT_ERROR(AppendFile("/no/such/f"), ErrorKind::kRuntimeFailure,
               HasSubstr("cannot open /no/such/f for appending: No such file or directory"));
  AppendFile full("/dev/full");
  EXPECT_ERROR(full.Append("x"), ErrorKind::kRuntimeFailure,
               HasSubstr("cannot write to /dev/full: No space left on device"));
}

}  // namespace
}  // namespace twofour
