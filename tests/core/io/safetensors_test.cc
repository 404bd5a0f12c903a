#include "twofour/core/io/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <numeric>
#include <system_error>

#include "twofour/core/error.h"

#include "tests/core/io/safetensors_bytes.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/temp_dir.h"

namespace twofour {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::ThrowsMessage;
using ::testing::UnorderedElementsAre;
using twofour::test::FaultyFileSystem;
using twofour::test::SafetensorsBytes;
using twofour::test::TempDir;

using std::string_view_literals::operator""sv;

std::vector<NamedTensor> OneOfEach() {
  return {{"mask", Tensor::FromVector<bool>({1, 0, 1}, {3})},
          {"layers.0.weight", Tensor::FromVector<float>({1.5f, -0.0f, 3e-42f, 4, 5, 6}, {2, 3})},
          {"step", Tensor::FromVector<int32_t>({-7}, {})},
          {"nothing", Tensor::FromVector<float>({}, {0, 4})},
          {"double", Tensor::FromVector<double>({0.1, std::numeric_limits<double>::infinity()}, {1, 2, 1})}};
}

/// All patterns of 16 bits, and the same bytes as elements of other dtypes.
std::vector<NamedTensor> OneOfEachDType() {
  std::vector<NamedTensor> tensors;
  std::vector<uint16_t> patterns(65536);
  std::iota(patterns.begin(), patterns.end(), uint16_t{0});
  for (const DTypeInfo& info : kDTypes) {
    const size_t bytes = 2 * patterns.size();
    Tensor tensor = Tensor::Zeros({static_cast<int64_t>(bytes / info.bytes)}, info.dtype);
    if (info.dtype != DType::kBool) std::memcpy(tensor.mutable_raw(), patterns.data(), bytes);
    tensors.push_back({std::string(info.name), tensor});
  }
  return tensors;
}

void ExpectSame(const std::vector<NamedTensor>& actual, const std::vector<NamedTensor>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const Tensor& a = actual[i].tensor;
    const Tensor& e = expected[i].tensor;
    EXPECT_EQ(actual[i].name, expected[i].name);
    ASSERT_EQ(a.dtype(), e.dtype()) << expected[i].name;
    ASSERT_EQ(a.shape(), e.shape()) << expected[i].name;
    const size_t bytes = static_cast<size_t>(e.numel()) * SizeOf(e.dtype());
    EXPECT_TRUE(bytes == 0 || std::memcmp(a.raw(), e.raw(), bytes) == 0) << expected[i].name;
  }
}

class SafetensorsTest : public ::testing::Test {
 protected:
  std::vector<std::byte> FileBytes() { return fs_.ReadFile(path_, 1 << 24); }

  std::string ErrorOfSaving(const std::vector<NamedTensor>& tensors,
                            const std::map<std::string, std::string>& metadata = {}) {
    try {
      SaveSafetensors(fs_, path_, tensors, metadata);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidInput);
      EXPECT_FALSE(fs_.Exists(path_));
      return error.what();
    }
    ADD_FAILURE() << "expected an Error";
    return "";
  }

  TempDir dir_;
  FileSystem& fs_ = FileSystem::Default();
  std::filesystem::path path_ = dir_ / "model.safetensors";
};

TEST_F(SafetensorsTest, RoundTripKeepsOrderDtypesShapesAndBits) {
  SaveSafetensors(fs_, path_, OneOfEach(), {{"format", "pt"}, {"quote\"\n", "ümlaut"}});
  const SafetensorsFile file = LoadSafetensors(fs_, path_);
  ExpectSame(file.tensors, OneOfEach());
  EXPECT_THAT(file.metadata, UnorderedElementsAre(Pair("format", "pt"), Pair("quote\"\n", "ümlaut")));
}

TEST_F(SafetensorsTest, RoundTripOfEveryDType) {
  SaveSafetensors(fs_, path_, OneOfEachDType());
  const SafetensorsFile file = LoadSafetensors(fs_, path_);
  EXPECT_TRUE(file.skipped.empty());
  ExpectSame(file.tensors, OneOfEachDType());
}

TEST_F(SafetensorsTest, ReadsTheNamesOfTheFormat) {
  const auto bytes = SafetensorsBytes(R"({"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},)"
                                      R"("b":{"dtype":"F16","shape":[1],"data_offsets":[8,10]},)"
                                      R"("c":{"dtype":"BF16","shape":[1],"data_offsets":[10,12]},)"
                                      R"("d":{"dtype":"I16","shape":[1],"data_offsets":[12,14]},)"
                                      R"("e":{"dtype":"I8","shape":[1],"data_offsets":[14,15]},)"
                                      R"("f":{"dtype":"U8","shape":[1],"data_offsets":[15,16]}})",
                                      "\xfe\xff\xff\xff\xff\xff\xff\xff\0\x3e\xc0\x3f\xfd\xff\xfc\xfb"sv);
  const SafetensorsFile file = ParseSafetensors(bytes, "hand.safetensors");
  ExpectSame(file.tensors, {{"a", Tensor::FromVector<int64_t>({-2}, {1})},
                            {"b", Tensor::FromVector<Float16>({Float16(1.5F)}, {1})},
                            {"c", Tensor::FromVector<BFloat16>({BFloat16(1.5F)}, {1})},
                            {"d", Tensor::FromVector<int16_t>({-3}, {1})},
                            {"e", Tensor::FromVector<int8_t>({-4}, {1})},
                            {"f", Tensor::FromVector<uint8_t>({251}, {1})}});
}

TEST_F(SafetensorsTest, RoundTripOfNoTensors) {
  SaveSafetensors(fs_, path_, {});
  const SafetensorsFile file = LoadSafetensors(fs_, path_);
  EXPECT_TRUE(file.tensors.empty());
  EXPECT_TRUE(file.metadata.empty());
}

TEST_F(SafetensorsTest, RoundTripOfUnusualNames) {
  const std::vector<NamedTensor> tensors = {
      {"", Tensor::Scalar(1)}, {"a\tb\"\\", Tensor::Scalar(2)}, {"gewicht.größe", Tensor::Scalar(3)}};
  SaveSafetensors(fs_, path_, tensors);
  ExpectSame(LoadSafetensors(fs_, path_).tensors, tensors);
}

TEST_F(SafetensorsTest, FindByName) {
  const SafetensorsFile file{.tensors = OneOfEach(), .metadata = {}};
  ASSERT_NE(file.Find("step"), nullptr);
  EXPECT_EQ(file.Find("step")->item(), -7);
  EXPECT_EQ(file.Find("steps"), nullptr);
}

TEST_F(SafetensorsTest, WritesTheDocumentedBytes) {
  SaveSafetensors(fs_, path_, {{"a", Tensor::FromVector<float>({1, -2}, {2})}}, {{"k", "v"}});
  std::string header = R"({"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  header.resize(120, ' ');  // 8 + 120 is a multiple of 64.
  EXPECT_EQ(FileBytes(), SafetensorsBytes(header, "\x00\x00\x80\x3f\x00\x00\x00\xc0"sv));
}

TEST_F(SafetensorsTest, DataStartsAlignedAndWideElementsComeFirst) {
  for (int length = 0; length < 70; ++length) {
    SaveSafetensors(fs_, path_, {{std::string(length, 'n'), Tensor::Scalar(1)}});
    EXPECT_EQ(FileBytes().size() % 64, 4u);
  }
  SaveSafetensors(fs_, path_, OneOfEach());
  const std::vector<std::byte> bytes = FileBytes();
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  EXPECT_THAT(text, HasSubstr(R"("mask":{"dtype":"BOOL","shape":[3],"data_offsets":[44,47]})"));
  EXPECT_THAT(text, HasSubstr(R"("layers.0.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[16,40]})"));
  EXPECT_THAT(text, HasSubstr(R"("step":{"dtype":"I32","shape":[],"data_offsets":[40,44]})"));
  EXPECT_THAT(text, HasSubstr(R"("double":{"dtype":"F64","shape":[1,2,1],"data_offsets":[0,16]})"));
}

TEST_F(SafetensorsTest, EqualArgumentsGiveEqualBytes) {
  SaveSafetensors(fs_, path_, OneOfEach(), {{"b", "2"}, {"a", "1"}});
  const std::vector<std::byte> first = FileBytes();
  SaveSafetensors(fs_, path_, OneOfEach(), {{"a", "1"}, {"b", "2"}});
  EXPECT_EQ(FileBytes(), first);
}

TEST_F(SafetensorsTest, ReadsAFileInAnotherOrderWithEscapesAndPadding) {
  const auto bytes = SafetensorsBytes(
      "{\"b\\u002e1\" : {\"data_offsets\":[4, 8], \"shape\":[1,1], \"dtype\":\"I32\"},\n"
      " \"empty\":{\"dtype\":\"F32\",\"shape\":[3,0],\"data_offsets\":[4,4]},"
      " \"a\":{\"dtype\":\"BOOL\",\"shape\":[2,2],\"data_offsets\":[0,4]} }  ",
      "\1\0\0\1\xfe\xff\xff\xff"sv);
  const SafetensorsFile file = ParseSafetensors(bytes, "hand.safetensors");
  ExpectSame(file.tensors, {{"b.1", Tensor::FromVector<int32_t>({-2}, {1, 1})},
                            {"empty", Tensor::Empty({3, 0})},
                            {"a", Tensor::FromVector<bool>({1, 0, 0, 1}, {2, 2})}});
}

TEST_F(SafetensorsTest, SkipsTensorsOfTypesThatTwofourLacks) {
  const auto bytes =
      SafetensorsBytes(R"({"__metadata__":null,"port":{"dtype":"U16","shape":[2,1],"data_offsets":[4,8]},)"
                       R"("a":{"dtype":"I32","shape":[],"data_offsets":[0,4]},)"
                       R"("new":{"dtype":"F7\n","shape":[],"data_offsets":[8,9]}})",
                       "\xfe\xff\xff\xff\1\2\3\4\5"sv);
  const SafetensorsFile file = ParseSafetensors(bytes, "mixed.safetensors");
  ExpectSame(file.tensors, {{"a", Tensor::FromVector<int32_t>({-2}, {})}});
  EXPECT_TRUE(file.metadata.empty());
  ASSERT_EQ(file.skipped.size(), 2u);
  EXPECT_EQ(file.skipped[0].name, "port");
  EXPECT_EQ(Describe(file.skipped[0]), "dtype U16 [2, 1]");
  EXPECT_EQ(Describe(file.skipped[1]), "unknown dtype 'F7\\x0a' []");
}

/// Records where the bytes are read to.
class WatchedFile final : public ReadableFile {
 public:
  explicit WatchedFile(std::span<const std::byte> bytes) : base_(bytes) {}
  uint64_t size() const override { return base_.size(); }
  void Read(uint64_t offset, std::span<std::byte> out) const override {
    targets.emplace_back(out);
    base_.Read(offset, out);
  }
  mutable std::vector<std::span<std::byte>> targets;

 private:
  BytesAsFile base_;
};

TEST_F(SafetensorsTest, ElementsAreReadToWhereTheyStay) {
  SaveSafetensors(fs_, path_, OneOfEachDType());
  const std::vector<std::byte> bytes = FileBytes();
  const WatchedFile watched(bytes);
  const SafetensorsFile file = ReadSafetensors(watched, "watched");
  const size_t begins = watched.targets.size() - file.tensors.size();
  uint64_t other_bytes = 0;
  for (size_t i = 0; i < begins; ++i) other_bytes += watched.targets[i].size();
  EXPECT_LE(other_bytes, 8192u);  // The beginning and the header.
  for (size_t i = 0; i < file.tensors.size(); ++i) {
    EXPECT_EQ(watched.targets[begins + i].data(), file.tensors[i].tensor.raw()) << file.tensors[i].name;
  }
}

TEST_F(SafetensorsTest, AFaultOfTheDiskIsAnErrorWhereverItIs) {
  SaveSafetensors(fs_, path_, OneOfEach());
  const uint64_t size = FileBytes().size();
  for (uint64_t readable = 0; readable < size; ++readable) {
    FaultyFileSystem faulty;
    faulty.FailReadingFrom(readable);
    EXPECT_THAT([&] { LoadSafetensors(faulty, path_); },
                ThrowsMessage<Error>(HasSubstr("cannot read " + path_.string() + ": Input/output error")));
  }
  FaultyFileSystem faulty;
  faulty.FailReadingFrom(size);
  ExpectSame(LoadSafetensors(faulty, path_).tensors, OneOfEach());
}

TEST_F(SafetensorsTest, AFileOfMoreThan64GiBIsRefusedUnread) {
  const std::byte byte{};
  const std::span<const std::byte> piece(&byte, 1);
  fs_.WriteFile(path_, {&piece, 1});
  std::error_code error;
  std::filesystem::resize_file(path_, (uint64_t{64} << 30) + 1, error);  // A hole takes no room on the disk.
  if (error) GTEST_SKIP() << "no such files here: " << error.message();
  EXPECT_THAT([&] { LoadSafetensors(fs_, path_); },
              ThrowsMessage<Error>(HasSubstr("it holds 68719476737 bytes, expected at most 68719476736")));
}

TEST_F(SafetensorsTest, NoMetadataIsSpelledInThreeWays) {
  for (const char* header : {"{}", R"({"__metadata__":null})", R"({"__metadata__":{}})"}) {
    EXPECT_TRUE(ParseSafetensors(SafetensorsBytes(header, ""), header).metadata.empty());
  }
}

TEST_F(SafetensorsTest, SavingRefusesWhatCouldNotBeReadBack) {
  const Tensor one = Tensor::Scalar(1);
  const std::string file = path_.string();
  EXPECT_EQ(ErrorOfSaving({{"a", one}, {"b", one}, {"a", one}}), file + ": tensor 'a' comes twice");
  EXPECT_EQ(ErrorOfSaving({{"a", Tensor()}}), file + ": tensor 'a' is undefined");
  EXPECT_EQ(ErrorOfSaving({{"__metadata__", one}}), file + ": tensor '__metadata__': the name is reserved");
  EXPECT_THAT(ErrorOfSaving({{"a\xff", one}}), HasSubstr("is not UTF-8"));
  EXPECT_THAT(ErrorOfSaving({{"a", one}}, {{"k", "\xc3"}}), HasSubstr("is not UTF-8"));
  EXPECT_THAT(ErrorOfSaving({{std::string(100'000'001, 'n'), one}}), HasSubstr("the format allows 100000000"));
}

TEST_F(SafetensorsTest, MissingFileIsInvalidInput) {
  try {
    LoadSafetensors(fs_, path_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidInput);
    EXPECT_EQ(error.what(), "cannot read " + path_.string() + ": No such file or directory");
  }
}

TEST_F(SafetensorsTest, FullDiskLeavesThePreviousFileWhole) {
  SaveSafetensors(fs_, path_, OneOfEach());
  const std::vector<std::byte> before = FileBytes();
  const std::vector<NamedTensor> other = {{"w", Tensor::Full({8, 8}, 1)}};
  for (uint64_t room : {0, 1, 8, 100, 128, 383}) {
    FaultyFileSystem full;
    full.FailAfterBytes(room);
    EXPECT_THROW(SaveSafetensors(full, path_, other), Error);
    EXPECT_EQ(FileBytes(), before);
    EXPECT_THAT(fs_.ListDirectory(dir_.path()), ElementsAre("model.safetensors"));
  }
  FaultyFileSystem fits;
  fits.FailAfterBytes(384);
  SaveSafetensors(fits, path_, other);
  ExpectSame(LoadSafetensors(fs_, path_).tensors, other);
}

}  // namespace
}  // namespace twofour
