#include "twofour/train/program/start/new_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "twofour/core/error.h"

#include "tests/support/temp_dir.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class NewFolderTest : public ::testing::Test {
 protected:
  NewFolderTest() {
    fs::create_directories(dir_ / "run/checkpoints");
    fs::create_directory_symlink(dir_ / "run", dir_ / "link");
  }

  std::string Path(const std::string& name) { return (dir_ / name).string(); }

  test::TempDir dir_;
};

TEST_F(NewFolderTest, AFileInTheFolderIsFoundUnderAnyName) {
  for (const char* const folder : {"run", "link", "./run", "other/../run"}) {
    for (const char* const file : {"run", "run/a", "run/checkpoints/a", "link/a", "none/../run/a"}) {
      EXPECT_THAT(
          [&] {
            RequireOutside(Path(folder), {Path("a"), "", Path(file)});
          },
          ThrowsMessage<Error>(HasSubstr(Path(file) + ": lies in " + Path(folder) + ", which the new run")));
    }
    RequireOutside(Path(folder), {Path("a"), Path("run2/a"), Path("ru"), ""});
  }
}

TEST_F(NewFolderTest, ABranchLiesApart) {
  for (const char* const folder : {"run", "link", "run/checkpoints", ""}) {
    EXPECT_THAT([&] { RequireApart(Path(folder), Path("run")); },
                ThrowsMessage<Error>(HasSubstr("the folder of the run ")));
  }
  RequireApart(Path("run2"), Path("run"));
}

}  // namespace
}  // namespace twofour::train
