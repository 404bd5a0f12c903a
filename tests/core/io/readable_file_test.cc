#include "twofour/core/io/readable_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/io/text.h"

#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"

namespace twofour {
namespace {

using ::testing::Eq;
using ::testing::HasSubstr;

std::string Read(const ReadableFile& file, uint64_t offset, size_t count) {
  std::string text(count, '?');
  file.Read(offset, std::as_writable_bytes(std::span(text)));
  return text;
}

class ReadableFileTest : public ::testing::Test {
 protected:
  ReadableFileTest() { WriteText(fs_, path_, "0123456789"); }

  test::TempDir dir_;
  FileSystem& fs_ = FileSystem::Default();
  std::filesystem::path path_ = dir_ / "file";
};

TEST_F(ReadableFileTest, ReadsAnyPart) {
  const auto file = fs_.OpenFile(path_, 10);
  const std::string_view text = "0123456789";
  const BytesAsFile in_memory(std::as_bytes(std::span(text.data(), text.size())));
  for (const ReadableFile* each : std::initializer_list<const ReadableFile*>{file.get(), &in_memory}) {
    EXPECT_EQ(each->size(), 10u);
    EXPECT_EQ(Read(*each, 0, 10), text);
    EXPECT_EQ(Read(*each, 7, 3), "789");
    EXPECT_EQ(Read(*each, 2, 1), "2");
    EXPECT_EQ(Read(*each, 10, 0), "");
  }
}

TEST_F(ReadableFileTest, AnEmptyFileIsAFile) {
  WriteText(fs_, path_, "");
  EXPECT_EQ(fs_.OpenFile(path_, 0)->size(), 0u);
}

TEST_F(ReadableFileTest, StaysReadableWhenItsNameIsGivenToAnotherFile) {
  const auto file = fs_.OpenFile(path_, 10);
  WriteTextAtomically(fs_, path_, "other");
  EXPECT_EQ(Read(*file, 0, 10), "0123456789");
}

TEST_F(ReadableFileTest, AFileThatBecameShorterIsAnError) {
  const auto file = fs_.OpenFile(path_, 10);
  std::filesystem::resize_file(path_, 4);
  EXPECT_EQ(Read(*file, 0, 4), "0123");
  EXPECT_ERROR(Read(*file, 3, 2), ErrorKind::kInvalidInput,
               Eq("cannot read " + path_.string() + ": it became shorter while it was being read"));
}

TEST_F(ReadableFileTest, WhatIsNotReadableOrTooLargeIsAnError) {
  EXPECT_ERROR(fs_.OpenFile(path_, 9), ErrorKind::kInvalidInput, HasSubstr("it holds 10 bytes, expected at most 9"));
  EXPECT_ERROR(fs_.OpenFile(dir_ / "none", 9), ErrorKind::kInvalidInput, HasSubstr("No such file"));
  EXPECT_ERROR(fs_.OpenFile(dir_.path(), 9), ErrorKind::kInvalidInput, HasSubstr("Is a directory"));
}

}  // namespace
}  // namespace twofour
