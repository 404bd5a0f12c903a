#include "twofour/train/data/token_header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using std::string_view_literals::operator""sv;

int64_t HeaderBytes(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
  return TokenFileHeaderBytes(bytes.first(std::min<size_t>(bytes.size(), kTokenFileBeginning)),
                              static_cast<int64_t>(bytes.size()), "ids.bin");
}

std::string ErrorOf(std::string_view text) {
  try {
    HeaderBytes(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidInput);
    EXPECT_THAT(error.what(), StartsWith("ids.bin: "));
    return error.what();
  }
  return "no error";
}

/// A little-endian number of 4 bytes.
std::string Number(uint32_t value) {
  std::string text;
  for (int i = 0; i < 4; ++i) text += static_cast<char>(value >> 8 * i & 0xFF);
  return text;
}

/// A header, and `bytes` bytes of data that are no text.
std::string File(uint32_t magic, uint32_t version, uint32_t count, size_t bytes) {
  std::string text = Number(magic) + Number(version) + Number(count);
  text.resize(1024 + bytes);
  return text;
}

const std::string kExpected = "; expected ids of 16 bits, bare or behind llm.c's header 20240520, version 1";

TEST(TokenHeaderTest, TakesTheVersionWithIdsOf16Bits) {
  EXPECT_EQ(HeaderBytes(File(20240520, 1, 5, 10)), 1024);
  EXPECT_EQ(HeaderBytes(File(20240520, 1, 0, 0)), 1024);
}

TEST(TokenHeaderTest, RefusesEveryOtherVersion) {
  for (const uint32_t version : {0U, 2U, 7U, 255U, 65537U, 0xFFFFFFFFU}) {
    EXPECT_THAT(ErrorOf(File(20240520, version, 5, 10)),
                AllOf(HasSubstr("llm.c's header 20240520, version"), HasSubstr("a version that is not known"),
                      EndsWith(kExpected)));
  }
  EXPECT_THAT(ErrorOf(File(20240520, 2, 5, 10).substr(0, 8)), HasSubstr("version 2: a version that is not known"));
}

TEST(TokenHeaderTest, RefusesIdsOf32Bits) {
  EXPECT_EQ(ErrorOf(File(20240801, 7, 5, 20)),
            "ids.bin: llm.c's header 20240801, version 7: ids of 32 bits" + kExpected);
  EXPECT_THAT(ErrorOf(File(20240801, 1, 5, 10)), HasSubstr("20240801, version 1: ids of 32 bits"));
}

TEST(TokenHeaderTest, NamesTheOtherFilesOfLlmC) {
  EXPECT_THAT(ErrorOf(File(20240326, 3, 1024, 64)), HasSubstr("20240326, version 3: a GPT-2's weights"));
  EXPECT_THAT(ErrorOf(File(20240326, 5, 1024, 64)), HasSubstr("20240326, version 5: a GPT-2's weights"));
  EXPECT_THAT(ErrorOf(File(20240327, 2, 4, 64)), HasSubstr("a debug state"));
  EXPECT_THAT(ErrorOf(File(20240328, 2, 50257, 64)), HasSubstr("a tokenizer"));
  EXPECT_THAT(ErrorOf(File(20240522, 1, 10042, 64)), HasSubstr("multiple-choice questions"));
  EXPECT_THAT(ErrorOf(File(20240527, 1, 8, 64)), HasSubstr("the optimizer's state"));
  EXPECT_THAT(ErrorOf(File(20240803, 3, 8192, 64)), HasSubstr("a Llama 3's weights"));
  EXPECT_THAT(ErrorOf(Number(20240328)), HasSubstr("a tokenizer"));
}

TEST(TokenHeaderTest, RefusesMagicNumbersThatAreYetToCome) {
  EXPECT_THAT(ErrorOf(File(20251126, 1, 8, 64)), HasSubstr("20251126, version 1: a kind of file that is not known"));
  EXPECT_EQ(HeaderBytes(File(20251326, 1, 8, 64)), 0);    // No date.
  EXPECT_EQ(HeaderBytes(File(20251126, 256, 8, 64)), 0);  // No version, so these are ids.
  EXPECT_EQ(HeaderBytes(File(20251126, 1, 8, 64).substr(0, 1022)), 0);
}

TEST(TokenHeaderTest, RefusesBigEndianHeaders) {
  EXPECT_EQ(ErrorOf(File(__builtin_bswap32(20240520), 0x01000000, 0, 64)),
            "ids.bin: llm.c's header 20240520 in big-endian byte order; expected little-endian");
  EXPECT_THAT(ErrorOf(File(__builtin_bswap32(20240801), 0, 0, 64)), HasSubstr("big-endian"));
}

TEST(TokenHeaderTest, NamesOtherFormats) {
  const auto expect = [](std::string_view beginning, const std::string& format) {
    std::string file(beginning);
    file.resize(600, '\0');
    EXPECT_EQ(ErrorOf(file), "ids.bin: " + format + kExpected);
  };
  expect("\x1f\x8b\x08\x00"sv, "a gzip file");
  expect("PK\x03\x04\x14"sv, "a zip archive, as .npz, PyTorch's .pt and .xlsx files are");
  expect("\x93NUMPY\x01\x00v\x00{'descr': '<u2'"sv, "a NumPy .npy file");
  expect("\x40\x00\x00\x00\x00\x00\x00\x00{\"__metadata__\""sv, "a safetensors file of a model's weights");
  expect("\x28\xb5\x2f\xfd"sv, "a zstd file");
  expect("BZh91AY&SY"sv, "a bzip2 file");
  expect("GGUF\x03\0\0\0"sv, "a GGUF file of a model's weights");
  expect("MMIDIDX\0\0\1"sv, "a Megatron index (.idx), whose ids are in the .bin file beside it");
  expect(std::string(257, '\0') + "ustar", "a tar archive");
  EXPECT_EQ(ErrorOf("PAR1\x15\x04 and so on PAR1"), "ids.bin: a Parquet file" + kExpected);
  EXPECT_EQ(ErrorOf("\x80\x04\x95\x0b\0\0\0\0\0\0\0]\x94(K\x01K\x02K\x03"
                    "e."sv),
            "ids.bin: a Python pickle" + kExpected);
}

TEST(TokenHeaderTest, RefusesText) {
  const std::string refused = "ids.bin: text" + kExpected + " (text is read by data.text)";
  EXPECT_EQ(ErrorOf("First Citizen:\nBefore we proceed any further, hear me speak.\n"), refused);
  EXPECT_EQ(ErrorOf("16 bytes of text"), refused);
  EXPECT_EQ(ErrorOf("Grüße aus Köln, ÄÖÜ – 日本語\r\n"), refused);
  EXPECT_EQ(ErrorOf("12, 55, 199, 50256, 3, 99\n"), refused);
  // The text is cut within a character after the 65536 bytes that are checked.
  for (int shift = 0; shift < 4; ++shift) {
    std::string text(static_cast<size_t>(shift), 'x');
    while (text.size() < 70'000) text += "\xf0\x9f\x98\x80";
    EXPECT_EQ(ErrorOf(text), refused);
  }
  EXPECT_EQ(ErrorOf("\xff\xfe"
                    "F\0i\0r\0s\0t\0 \0C\0i\0t\0i\0z\0e\0n\0"sv),
            refused);
}

TEST(TokenHeaderTest, RefusesWhatIsBuiltLikeAHeader) {
  for (const size_t bytes : {10, 20}) {  // Ids of 16 and of 32 bits.
    EXPECT_EQ(ErrorOf(File(5, 1, 5, bytes)),
              "ids.bin: a header of 256 numbers that begins with 5 and announces 5 tokens" + kExpected);
  }
  EXPECT_EQ(HeaderBytes(File(5, 1, 6, 10)), 0);
  EXPECT_EQ(HeaderBytes(File(0, 0, 0, 0)), 0);
  std::string ids = File(5, 1, 5, 10);
  ids[1000] = 1;
  EXPECT_EQ(HeaderBytes(ids), 0);
}

TEST(TokenHeaderTest, TakesEverythingElseForIds) {
  EXPECT_EQ(HeaderBytes(""), 0);
  EXPECT_EQ(HeaderBytes("x"), 0);
  EXPECT_EQ(HeaderBytes("too short."), 0);                    // Five ids may look like text by chance.
  EXPECT_EQ(HeaderBytes("text until here and then\x01"), 0);  // A control character.
  EXPECT_EQ(HeaderBytes(std::string(64, '\0')), 0);
  EXPECT_EQ(HeaderBytes("H\0e\0l\0l\0o\0 \0w\0o\0r\0l\0d\0"sv),
            0);  // Characters as ids, as in nanoGPT's smallest example.
}

}  // namespace
}  // namespace twofour::train
