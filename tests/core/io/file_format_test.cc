#include "twofour/core/io/file_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "twofour/core/io/safetensors.h"
#include "twofour/core/io/text.h"

#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour {
namespace {

using ::testing::Eq;
using ::testing::HasSubstr;

constexpr const char* kPointer =
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

TEST(FileFormatTest, KnowsWhatStandsInPlaceOfAFile) {
  EXPECT_EQ(WellKnownFormat(Bytes(kPointer)), "a git-lfs pointer in place of the file, which git lfs pull fetches");
  EXPECT_TRUE(IsGitLfsPointer(Bytes(kPointer)));
  EXPECT_FALSE(IsGitLfsPointer(Bytes("version 2")));
  for (const char* page :
       {"<!DOCTYPE html>\n<html>", "<html lang=\"en\">", "\n  <!doctype HTML>", "\xEF\xBB\xBF<HTML>"}) {
    EXPECT_EQ(WellKnownFormat(Bytes(page)), "an HTML page") << page;
  }
  EXPECT_EQ(WellKnownFormat(Bytes("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>")), "an XML file");
  for (const char* text : {"", " ", "<", "<ht", "<p>", "version: 1", "html,body\n1,2"}) {
    EXPECT_EQ(WellKnownFormat(Bytes(text)), "") << text;
  }
}

TEST(FileFormatTest, WeightsThatAreSomethingElseAreCalledByTheirName) {
  const auto expect = [](std::string_view text, const std::string& format) {
    EXPECT_ERROR(ParseSafetensors(Bytes(text), "w"), ErrorKind::kInvalidInput,
                 Eq("w: " + format + ", expected a safetensors file"));
  };
  expect(kPointer, "a git-lfs pointer in place of the file, which git lfs pull fetches");
  expect("<!DOCTYPE html><html></html>", "an HTML page");
  // gzip writes this without a time and a name. A reader of safetensors takes it for a length of 560927.
  using std::string_view_literals::operator""sv;
  expect("\x1f\x8b\x08\0\0\0\0\0\0\x03"sv, "a gzip file");
  expect("PK\x03\x04\0\0\x08\x08\0\0"sv, "a zip archive, as .npz, PyTorch's .pt and .xlsx files are");
  expect("GGUF\x03\0\0\0\0\0"sv, "a GGUF file of a model's weights");
}

TEST(FileFormatTest, WeightsThatAreOtherTextShowItsBeginning) {
  EXPECT_ERROR(ParseSafetensors(Bytes("{\"a\": 1, \"a longer name\": 2}"), "w"), ErrorKind::kInvalidInput,
               Eq("w: not a safetensors file: text that begins with '{\"a\": 1, \"a longer name\"'"));
}

TEST(FileFormatTest, AHeaderWhoseLengthLooksLikeASignatureIsAHeader) {
  const std::string_view start("\x1f\x8b\x08\0\0\0\0\0", 8);
  std::string file(start);
  file += "{}";
  file.append(0x088b1f - 2, ' ');
  EXPECT_TRUE(ParseSafetensors(Bytes(file), "w").tensors.empty());
}

TEST(FileFormatTest, OwnTextIsNoOtherFormat) {
  const test::TempDir dir;
  test::WriteTextFile(dir / "a.json", kPointer);
  EXPECT_ERROR(ReadOwnText(FileSystem::Default(), dir / "a.json", 1000), ErrorKind::kInvalidInput,
               HasSubstr("a.json: a git-lfs pointer in place of the file, which git lfs pull fetches, expected what "
                         "twofour wrote there"));
  test::WriteTextFile(dir / "a.json", "{}");
  EXPECT_EQ(ReadOwnText(FileSystem::Default(), dir / "a.json", 1000), "{}");
}

}  // namespace
}  // namespace twofour
