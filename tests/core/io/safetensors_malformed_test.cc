#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/core/error.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/core/random.h"

#include "tests/core/io/safetensors_bytes.h"

namespace twofour {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using twofour::test::SafetensorsBytes;

using std::string_view_literals::operator""sv;

std::string ErrorOf(const std::vector<std::byte>& bytes) {
  try {
    ParseSafetensors(bytes, "m.safetensors");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidInput);
    EXPECT_THAT(error.what(), StartsWith("m.safetensors: "));
    EXPECT_THAT(error.what(), ::testing::Not(HasSubstr("\n")));
    return std::string(error.what()).substr(15);
  }
  return "no error";
}

std::string ErrorOf(std::string_view header, size_t data_bytes = 0) {
  return ErrorOf(SafetensorsBytes(header, std::string(data_bytes, '\0')));
}

/// The error for a file of one tensor 'a', described by `fields`.
std::string ErrorOfTensor(const std::string& fields, size_t data_bytes = 0) {
  return ErrorOf("{\"a\":{" + fields + "}}", data_bytes);
}

std::string ErrorOfShape(const std::string& shape) {
  return ErrorOfTensor(R"("dtype":"F32","data_offsets":[0,4],"shape":)" + shape, 4);
}

std::string Entry(const std::string& name, int begin, int end) {
  return "\"" + name + R"(":{"dtype":"BOOL","shape":[)" + std::to_string(end - begin) + R"(],"data_offsets":[)" +
         std::to_string(begin) + "," + std::to_string(end) + "]}";
}

const std::string kValidHeader = R"({"__metadata__":{"k":"v"},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
                                 R"("m":{"dtype":"BOOL","shape":[2],"data_offsets":[24,26]}})";
constexpr size_t kValidDataBytes = 26;

TEST(SafetensorsMalformedTest, ValidFileIsTaken) { EXPECT_EQ(ErrorOf(kValidHeader, kValidDataBytes), "no error"); }

TEST(SafetensorsMalformedTest, HeaderLength) {
  EXPECT_EQ(ErrorOf(std::vector<std::byte>(5)),
            "truncated: file holds 5 bytes, the length of the header alone takes 8");
  std::vector<std::byte> bytes = SafetensorsBytes("{}", "");
  bytes[0] = std::byte{3};
  EXPECT_EQ(ErrorOf(bytes), "truncated: file says 3 bytes of header and holds 2");
  bytes[7] = std::byte{0xff};
  EXPECT_EQ(ErrorOf(bytes),
            "not a safetensors file: a header of 18374686479671623683 bytes, the format allows 100000000");
}

TEST(SafetensorsMalformedTest, HeaderIsNotAJsonObject) {
  EXPECT_EQ(ErrorOf(""), "the header does not start with '{'");
  EXPECT_EQ(ErrorOf("[]"), "the header does not start with '{'");
  EXPECT_EQ(ErrorOf(" {}"), "the header does not start with '{'");
  EXPECT_EQ(ErrorOf("{]"), "the header is not valid JSON at its byte 2");
  EXPECT_EQ(ErrorOf("{} {}"), "the header is not valid JSON at its byte 4");
  EXPECT_EQ(ErrorOf("{}\0{"sv), "the header is not valid JSON at its byte 3");
  EXPECT_THAT(ErrorOf("{\"\xff\":{}}"), StartsWith("the header is not valid JSON"));
  EXPECT_THAT(ErrorOf("{/* comment */}"), StartsWith("the header is not valid JSON"));
  EXPECT_THAT(ErrorOf(std::string(100, '{')), StartsWith("the header is not valid JSON"));
}

TEST(SafetensorsMalformedTest, DeepNestingIsRefusedWhereItOpens) {
  std::string deep = "{\"a\":";
  for (int i = 0; i < 1'000'000; ++i) deep += "{\"a\":";
  EXPECT_EQ(ErrorOf(deep), "tensor 'a': nested deeper than 128");
  EXPECT_EQ(ErrorOf("{\"a\":" + std::string(1'000'000, '[')), "header: 'a' is an array, expected an object");
  EXPECT_EQ(ErrorOfTensor("\"shape\":" + std::string(1'000'000, '[')),
            "tensor 'a': shape holds an array, expected non-negative integers below 2^64");
}

TEST(SafetensorsMalformedTest, DuplicateKeys) {
  EXPECT_EQ(ErrorOf("{" + Entry("a", 0, 1) + "," + Entry("b", 1, 2) + "," + Entry("a", 2, 3) + "}", 3),
            "header: key 'a' comes twice");
  EXPECT_EQ(ErrorOf("{" + Entry("a", 0, 1) + "," + Entry("\\u0061", 1, 2) + "}", 2), "header: key 'a' comes twice");
  EXPECT_EQ(ErrorOf(R"({"__metadata__":{},"__metadata__":{}})"), "header: key '__metadata__' comes twice");
  EXPECT_EQ(ErrorOf(R"({"__metadata__":{"k":"1","k":"2"}})"), "__metadata__: key 'k' comes twice");
  EXPECT_EQ(ErrorOfTensor(R"("dtype":"F32","dtype":"F32")"), "tensor 'a': key 'dtype' comes twice");
}

TEST(SafetensorsMalformedTest, MetadataThatIsNoStrings) {
  EXPECT_EQ(ErrorOf(R"({"__metadata__":null,"__metadata__":{}})"), "header: key '__metadata__' comes twice");
  EXPECT_EQ(ErrorOf(R"({"__metadata__":{"k":null}})"), "__metadata__: 'k' is null, expected a string");
  EXPECT_EQ(ErrorOf(R"({"__metadata__":[]})"), "header: '__metadata__' is an array, expected an object");
  EXPECT_EQ(ErrorOf(R"({"a":null})"), "header: 'a' is null, expected an object");
  EXPECT_EQ(ErrorOf(R"({"__metadata__":{"k":1}})"), "__metadata__: 'k' is 1, expected a string");
  EXPECT_EQ(ErrorOf(R"({"__metadata__":{"k":{}}})"), "__metadata__: 'k' is an object, expected a string");
}

TEST(SafetensorsMalformedTest, EntryThatIsNoTensor) {
  EXPECT_EQ(ErrorOf(R"({"a":1})"), "header: 'a' is 1, expected an object");
  EXPECT_EQ(ErrorOf(R"({"a":"F32"})"), "header: 'a' is a string, expected an object");
  EXPECT_EQ(ErrorOfTensor(""), "tensor 'a': key 'dtype' is missing");
  EXPECT_EQ(ErrorOfTensor(R"("dtype":"F32","data_offsets":[0,0])"), "tensor 'a': key 'shape' is missing");
  EXPECT_EQ(ErrorOfTensor(R"("dtype":"F32","shape":[])"), "tensor 'a': key 'data_offsets' is missing");
  EXPECT_EQ(ErrorOfTensor(R"("strides":[1])"), "tensor 'a': key 'dtype' is missing");
}

TEST(SafetensorsMalformedTest, Dtype) {
  const std::string rest = R"(,"shape":[1],"data_offsets":[0,4])";
  EXPECT_EQ(ErrorOfTensor("\"dtype\":true" + rest, 4), "tensor 'a': dtype is true, expected a string");
  EXPECT_EQ(ErrorOfTensor("\"dtype\":[\"F32\"]" + rest, 4), "tensor 'a': dtype is an array, expected a string");
}

/// The error for a file of one tensor of `type` and shape [3, 5] that takes `bytes` bytes.
std::string ErrorOfType(const std::string& type, size_t bytes) {
  return ErrorOfTensor(fmt::format(R"("dtype":"{}","shape":[3,5],"data_offsets":[0,{}])", type, bytes), bytes);
}

TEST(SafetensorsMalformedTest, PlacesOfAllTypesAreChecked) {
  for (const char* type : {"I8", "U8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"}) {
    EXPECT_EQ(ErrorOfType(type, 15), "no error");
    EXPECT_EQ(ErrorOfType(type, 30), fmt::format("tensor 'a': data_offsets [0, 30] hold 30 bytes, its shape [3, 5] of "
                                                 "{} needs 15",
                                                 type));
  }
  for (const char* type : {"I16", "U16", "F16", "BF16"}) {
    EXPECT_EQ(ErrorOfType(type, 30), "no error");
    EXPECT_THAT(ErrorOfType(type, 31), EndsWith("needs 30"));
  }
  EXPECT_EQ(ErrorOfType("U32", 60), "no error");
  EXPECT_THAT(ErrorOfType("U32", 15), EndsWith("needs 60"));
  for (const char* type : {"I64", "U64", "C64"}) {
    EXPECT_EQ(ErrorOfType(type, 120), "no error");
    EXPECT_THAT(ErrorOfType(type, 60), EndsWith("needs 120"));
  }
}

TEST(SafetensorsMalformedTest, TypesOfLessThanAByteFillWholeBytes) {
  EXPECT_EQ(ErrorOfType("F4", 8), "tensor 'a': its shape [3, 5] of F4 takes 60 bits, expected whole bytes");
  EXPECT_EQ(ErrorOfType("F6_E2M3", 12), "tensor 'a': its shape [3, 5] of F6_E2M3 takes 90 bits, expected whole bytes");
  const std::string even = R"(,"shape":[2,4],"data_offsets":[0,)";
  EXPECT_EQ(ErrorOfTensor(R"("dtype":"F4")" + even + "4]", 4), "no error");
  EXPECT_THAT(ErrorOfTensor(R"("dtype":"F4")" + even + "8]", 8), EndsWith("of F4 needs 4"));
  EXPECT_EQ(ErrorOfTensor(R"("dtype":"F6_E3M2")" + even + "6]", 6), "no error");
  EXPECT_THAT(ErrorOfTensor(R"("dtype":"F6_E3M2")" + even + "8]", 8), EndsWith("of F6_E3M2 needs 6"));
}

TEST(SafetensorsMalformedTest, TypesThatNobodyKnowsStillTileTheData) {
  const std::string unknown = R"("a":{"dtype":"F7","shape":[9],"data_offsets":)";
  EXPECT_EQ(ErrorOf("{" + unknown + "[0,2]}," + Entry("b", 2, 4) + "}", 4), "no error");
  EXPECT_EQ(ErrorOf("{" + unknown + "[0,3]}," + Entry("b", 2, 4) + "}", 4),
            "tensor 'b': data_offsets [2, 4] overlap the tensor before, expected it to begin at 3");
  EXPECT_EQ(ErrorOf("{" + unknown + "[0,1]}," + Entry("b", 2, 4) + "}", 4),
            "tensor 'b': data_offsets [2, 4] leave a hole, expected it to begin at 1");
  EXPECT_EQ(ErrorOf("{" + unknown + "[2,0]}," + Entry("b", 2, 4) + "}", 4),
            "tensor 'a': data_offsets [2, 0] end before they begin");
  EXPECT_EQ(ErrorOf("{" + unknown + "[0,9]}}", 4), "tensor 'a': truncated: header says 9 bytes of data, file holds 4");
  EXPECT_THAT(ErrorOfTensor(R"("dtype":"F7","shape":[4294967296,4294967296],"data_offsets":[0,4])", 4),
              HasSubstr("has more than 2^48 elements"));
}

TEST(SafetensorsMalformedTest, ReadsPastKeysThatTheFormatDoesNotKnow) {
  const std::string rest = R"("dtype":"F32","shape":[1],"data_offsets":[0,4])";
  EXPECT_EQ(ErrorOfTensor(R"("strides":[1,-1,1.5,null,true,{"dtype":7}],"note":"x","n":null,)" + rest, 4), "no error");
  EXPECT_EQ(ErrorOfTensor(rest + R"(,"more":{"a":[{"shape":[[]]}],"a":2})", 4), "no error");
  EXPECT_EQ(ErrorOfTensor(R"("more":{},"shape":7,)" + rest, 4),
            "tensor 'a': shape is 7, expected an array of non-negative integers");
  EXPECT_EQ(ErrorOfTensor("\"more\":" + std::string(1'000'000, '[')), "tensor 'a': nested deeper than 128");
}

TEST(SafetensorsMalformedTest, Shape) {
  const std::string integers = ", expected non-negative integers below 2^64";
  EXPECT_EQ(ErrorOfShape("[1]"), "no error");
  EXPECT_EQ(ErrorOfShape("[-1]"), "tensor 'a': shape holds -1" + integers);
  EXPECT_EQ(ErrorOfShape("[1.0]"), "tensor 'a': shape holds 1.0" + integers);
  EXPECT_EQ(ErrorOfShape("[1e0]"), "tensor 'a': shape holds 1e0" + integers);
  EXPECT_EQ(ErrorOfShape("[18446744073709551616]"), "tensor 'a': shape holds 18446744073709551616" + integers);
  EXPECT_EQ(ErrorOfShape("[\"1\"]"), "tensor 'a': shape holds a string" + integers);
  EXPECT_EQ(ErrorOfShape("1"), "tensor 'a': shape is 1, expected an array of non-negative integers");
  EXPECT_EQ(ErrorOfShape("null"), "tensor 'a': shape is null, expected an array of non-negative integers");
}

TEST(SafetensorsMalformedTest, ShapeWhoseProductOverflows) {
  EXPECT_EQ(ErrorOfShape("[18446744073709551615]"),
            "tensor 'a': shape [18446744073709551615] has more than 2^48 elements");
  // 2^32 * 2^32 elements of 4 bytes would be 0 modulo 2^64.
  EXPECT_EQ(ErrorOfShape("[4294967296, 4294967296]"),
            "tensor 'a': shape [4294967296, 4294967296] has more than 2^48 elements");
  EXPECT_EQ(ErrorOfShape("[0, 4294967296, 4294967296]"),
            "tensor 'a': shape [0, 4294967296, 4294967296] has more than 2^48 elements");
  std::string many = "[1";
  for (int i = 0; i < 63; ++i) many += ",1";
  EXPECT_EQ(ErrorOfShape(many + "]"), "no error");
  EXPECT_EQ(ErrorOfShape(many + ",1]"), "tensor 'a': shape has more than 64 dimensions");
}

TEST(SafetensorsMalformedTest, DataOffsets) {
  const std::string rest = R"("dtype":"F32","shape":[2,3],"data_offsets":)";
  EXPECT_EQ(ErrorOfTensor(rest + "[0, 16]", 16),
            "tensor 'a': data_offsets [0, 16] hold 16 bytes, its shape [2, 3] of F32 needs 24");
  EXPECT_EQ(ErrorOfTensor(rest + "[0, 25]", 25),
            "tensor 'a': data_offsets [0, 25] hold 25 bytes, its shape [2, 3] of F32 needs 24");
  EXPECT_EQ(ErrorOfTensor(rest + "[24, 0]", 24), "tensor 'a': data_offsets [24, 0] end before they begin");
  EXPECT_EQ(ErrorOfTensor(rest + "[24]", 24), "tensor 'a': data_offsets has 1 numbers, expected [begin, end]");
  EXPECT_EQ(ErrorOfTensor(rest + "[0,24,24]", 24),
            "tensor 'a': data_offsets has more than 2 numbers, expected [begin, end]");
  EXPECT_THAT(ErrorOfTensor(rest + "[-24,0]", 24), StartsWith("tensor 'a': data_offsets holds -24"));
  EXPECT_EQ(ErrorOfTensor(rest + "[18446744073709551592,18446744073709551615]", 24),
            "tensor 'a': data_offsets [18446744073709551592, 18446744073709551615] hold 23 bytes, "
            "its shape [2, 3] of F32 needs 24");
}

TEST(SafetensorsMalformedTest, RegionsTileTheDataExactly) {
  const std::string ab = "{" + Entry("b", 4, 8) + "," + Entry("a", 0, 4) + "}";
  EXPECT_EQ(ErrorOf(ab, 8), "no error");
  EXPECT_EQ(ErrorOf(ab, 7), "tensor 'b': truncated: header says 8 bytes of data, file holds 7");
  EXPECT_EQ(ErrorOf(ab, 9), "trailing bytes: header says 8 bytes of data, file holds 9");
  EXPECT_EQ(ErrorOf("{}", 1), "trailing bytes: header says 0 bytes of data, file holds 1");
  EXPECT_EQ(ErrorOf("{" + Entry("a", 0, 4) + "," + Entry("b", 3, 8) + "}", 8),
            "tensor 'b': data_offsets [3, 8] overlap the tensor before, expected it to begin at 4");
  EXPECT_EQ(ErrorOf("{" + Entry("a", 0, 4) + "," + Entry("b", 0, 4) + "}", 4),
            "tensor 'b': data_offsets [0, 4] overlap the tensor before, expected it to begin at 4");
  EXPECT_EQ(ErrorOf("{" + Entry("a", 0, 4) + "," + Entry("b", 5, 8) + "}", 8),
            "tensor 'b': data_offsets [5, 8] leave a hole, expected it to begin at 4");
  EXPECT_EQ(ErrorOf("{" + Entry("a", 1, 4) + "}", 4),
            "tensor 'a': data_offsets [1, 4] leave a hole, expected it to begin at 0");
  EXPECT_EQ(ErrorOf("{" + Entry("a", 0, 4) + "," + Entry("empty", 9, 9) + "}", 4),
            "tensor 'empty': data_offsets [9, 9] leave a hole, expected it to begin at 4");
}

TEST(SafetensorsMalformedTest, BoolBytes) {
  EXPECT_EQ(ErrorOf(SafetensorsBytes("{" + Entry("a", 0, 3) + "}", "\1\0\2"sv)),
            "tensor 'a': element 2 of BOOL is 2, expected 0 or 1");
}

TEST(SafetensorsMalformedTest, HostileNamesStayOnOneLineAndShort) {
  EXPECT_EQ(ErrorOf(R"({"a\n\u001b[31m":{}})"), "tensor 'a\\x0a\\x1b[31m': key 'dtype' is missing");
  EXPECT_THAT(ErrorOf("{\"" + std::string(100'000, 'n') + "\":{}}"), EndsWith("nnn...': key 'dtype' is missing"));
  EXPECT_LT(ErrorOf("{\"" + std::string(100'000, 'n') + "\":{}}").size(), 300u);
  EXPECT_LT(ErrorOfShape("[1." + std::string(100'000, '1') + "]").size(), 300u);
}

TEST(SafetensorsMalformedTest, EveryPrefixIsAnError) {
  const std::vector<std::byte> bytes = SafetensorsBytes(kValidHeader, std::string(kValidDataBytes, '\0'));
  for (size_t length = 0; length < bytes.size(); ++length) {
    const std::vector<std::byte> prefix(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(length));
    EXPECT_THAT(ErrorOf(prefix), HasSubstr("truncated: ")) << length;
  }
}

TEST(SafetensorsMalformedTest, RandomByteChangesNeverCrash) {
  const std::vector<std::byte> bytes = SafetensorsBytes(kValidHeader, std::string(kValidDataBytes, '\0'));
  RandomSequence random({.seed = 1, .stream = 0, .step = 0});
  int accepted = 0;
  constexpr int kRounds = 20'000;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::byte> changed = bytes;
    for (uint32_t change = 0; change <= random.Below(3); ++change) {
      changed[random.Below(static_cast<uint32_t>(bytes.size()))] = static_cast<std::byte>(random.NextBits());
    }
    if (ErrorOf(changed) == "no error") ++accepted;
  }
  // Changes in the data of 'w' or in a letter of a name leave the file valid; most others do not.
  EXPECT_GT(accepted, kRounds / 100);
  EXPECT_LT(accepted, kRounds / 2);
}

}  // namespace
}  // namespace twofour
