#include "twofour/train/data/path_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/core/error.h"

#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using ::testing::ThrowsMessage;

TEST(PathPatternTest, FindsFilesInTheOrderOfTheirBytes) {
  const test::TempDir dir;
  for (const char* name : {"b.bin", "B.bin", "a.bin", "a.txt", "c[1].bin"}) test::WriteTextFile(dir / name, "x");
  const auto path = [&](const char* name) { return (dir / name).string(); };
  EXPECT_THAT(FilesOf(path("?.bin")), ElementsAre(path("B.bin"), path("a.bin"), path("b.bin")));
  EXPECT_THAT(FilesOf(path("[ab].bin")), ElementsAre(path("a.bin"), path("b.bin")));
  EXPECT_THAT(FilesOf(path("a.*")), ElementsAre(path("a.bin"), path("a.txt")));
  EXPECT_THAT(FilesOf(path("c[1].bin")), ElementsAre(path("c[1].bin")));  // A file of that name.
  EXPECT_THAT(FilesOf(path("none.bin")), ElementsAre(path("none.bin")));
  EXPECT_THAT([&] { FilesOf(path("none*.bin")); }, ThrowsMessage<Error>(path("none*.bin") + ": no file matches"));
}

}  // namespace
}  // namespace twofour::train
