// Weights of fp8 and nvfp4 in files.
#include "twofour/train/exchange/low_bit_tensors.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/ops/matmul.h"
#include "twofour/sparse/low_bit_weight.h"
#include "twofour/sparse/mask.h"
#include "twofour/train/exchange/quantized_weights.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"
#include "tests/train/exchange/low_bit_patterns.h"

namespace twofour::train {
namespace {

using sparse::LowBitKind;
using sparse::LowBitParts;
using sparse::Mask;
using sparse::MaskFormat;
using test::ExpectBitEqual;
using test::ExpectClose;
using test::kLowBitPatterns;
using test::LowBitPattern;
using test::RandomF32;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// The bytes of a safetensors file.
class FileBytes {
 public:
  FileBytes& Add(const std::string& name, const std::string& dtype, const std::string& shape,
                 const std::vector<uint8_t>& bytes) {
    header_ += fmt::format("{}\"{}\":{{\"dtype\":\"{}\",\"shape\":{},\"data_offsets\":[{},{}]}}",
                           header_.empty() ? "" : ",", name, dtype, shape, data_.size(), data_.size() + bytes.size());
    data_.insert(data_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  SafetensorsFile Parse() const {
    const std::string header = "{" + header_ + "}";
    std::vector<uint8_t> all;
    for (int i = 0; i < 8; ++i) all.push_back(static_cast<uint8_t>(header.size() >> 8 * i));
    all.insert(all.end(), header.begin(), header.end());
    all.insert(all.end(), data_.begin(), data_.end());
    return ParseSafetensors(std::as_bytes(std::span(all)), "f");
  }

 private:
  std::string header_;
  std::vector<uint8_t> data_;
};

/// Little-endian numbers of 64 bits.
std::vector<uint8_t> Longs(const std::vector<uint8_t>& numbers) {
  std::vector<uint8_t> bytes;
  for (const uint8_t number : numbers) {
    bytes.push_back(number);
    bytes.insert(bytes.end(), 7, 0);
  }
  return bytes;
}

/// The only weight of the file as floats, read both ways: as commands read runs, and as they read any file.
Tensor ReadOnly(const FileBytes& bytes) {
  SafetensorsFile file = bytes.Parse(), any = file;
  const std::vector<QuantizedLinear> linears = TakeQuantizedLinears(file, "f");
  EXPECT_EQ(linears.size(), 1u);
  EXPECT_TRUE(file.tensors.empty());
  const Tensor weight = Dequantize(linears.at(0).weight);
  DequantizeTensors(any, "f");
  EXPECT_EQ(any.tensors.size(), 1u);
  EXPECT_EQ(any.tensors.at(0).name, "a.weight");
  ExpectBitEqual(any.tensors.at(0).tensor, weight);
  ExpectBitEqual(sparse::LowBitWeight(std::get<LowBitParts>(linears[0].weight)).Unpack(), weight);
  return weight;
}

TEST(LowBitTensorsTest, ReadsDenseFp8ByteByByte) {
  // 1, 448 and -0 times 0.5; -1, 2^-9 and 2 times 4.
  const Tensor weight = ReadOnly(FileBytes()
                                     .Add("a.weight_scale", "F32", "[2]", {0, 0, 0, 0x3f, 0, 0, 0x80, 0x40})
                                     .Add("a.weight", "F8_E4M3", "[2,3]", {0x38, 0x7e, 0x80, 0xb8, 0x01, 0x40}));
  ExpectBitEqual(weight, Tensor::FromVector<float>({0.5F, 224, -0.0F, -4, 0.0078125F, 8}, {2, 3}));
}

TEST(LowBitTensorsTest, ReadsPackedFp8ByteByByte) {
  // 1 and -2 at places 0 and 3, times 3.
  const Tensor weight = ReadOnly(FileBytes()
                                     .Add("a.weight_values", "F8_E4M3", "[1,2]", {0x38, 0xc0})
                                     .Add("a.weight_positions", "U8", "[1,1]", {0x0c})
                                     .Add("a.weight_pattern", "I64", "[4]", Longs({1, 4, 2, 4}))
                                     .Add("a.weight_scale", "F32", "[1]", {0, 0, 0x40, 0x40}));
  ExpectBitEqual(weight, Tensor::FromVector<float>({3, 0, 0, -6}, {1, 4}));
}

/// Two rows of 17 columns: the last code of each is alone in its byte and in its block. The scale of the weight is
/// 0.25, those of the blocks are 1 and 2, and 0.5 and 448.
TEST(LowBitTensorsTest, ReadsDenseNvfp4ByteByByte) {
  const std::vector<uint8_t> codes = {0x21, 0x7f, 0, 0, 0, 0, 0, 0x50, 0x03, 0x04, 0, 0, 0, 0, 0, 0, 0, 0x0c};
  for (const char* const scalar : {"[1]", "[]"}) {  // As ModelOpt has it.
    const Tensor weight = ReadOnly(FileBytes()
                                       .Add("a.weight", "U8", "[2,9]", codes)
                                       .Add("a.weight_shape", "I64", "[2]", Longs({2, 17}))
                                       .Add("a.weight_scale", "F8_E4M3", "[2,2]", {0x38, 0x40, 0x30, 0x7e})
                                       .Add("a.weight_scale_2", "F32", scalar, {0, 0, 0x80, 0x3e}));
    Tensor expected = Tensor::Zeros({2, 17});
    float* const row = expected.mutable_data<float>();
    row[0] = 0.125F, row[1] = 0.25F, row[2] = -1.5F, row[3] = 1.5F, row[15] = 0.75F, row[16] = 0.75F;
    row[17] = 0.25F, row[17 + 16] = -224;
    ExpectBitEqual(weight, expected);
  }
}

TEST(LowBitTensorsTest, ReadsPackedNvfp4ByteByByte) {
  // Codes 1, -0.5, 0 and 4 at columns 1 and 3, 4 and 6, times 1 and 2.
  const Tensor weight = ReadOnly(FileBytes()
                                     .Add("a.weight_values", "U8", "[1,2]", {0x92, 0x60})
                                     .Add("a.weight_positions", "U8", "[1,1]", {0x8d})
                                     .Add("a.weight_pattern", "I64", "[4]", Longs({1, 7, 2, 4}))
                                     .Add("a.weight_scale", "F8_E4M3", "[1,1]", {0x38})
                                     .Add("a.weight_scale_2", "F32", "[1]", {0, 0, 0, 0x40}));
  ExpectBitEqual(weight, Tensor::FromVector<float>({0, 2, 0, -1, 0, 0, 8}, {1, 7}));
}

class LowBitTensorsOfKindTest : public test::LowBitTensorsRunner {};
INSTANTIATE_TEST_SUITE_P(Kinds, LowBitTensorsOfKindTest, ::testing::Values(LowBitKind::kE4M3, LowBitKind::kNvfp4),
                         test::NameOfKind);

TEST_P(LowBitTensorsOfKindTest, EveryFormComesBackBitForBit) {
  for (const LowBitPattern& pattern : kLowBitPatterns) {
    SCOPED_TRACE(pattern.name);
    const QuantizedWeight weight = Rounded(pattern);
    EXPECT_EQ(FormOf(weight), pattern.form);
    const std::vector<NamedTensor> tensors = TensorsOf(weight);
    SafetensorsFile file{.tensors = tensors, .metadata = {}};
    file.tensors.push_back({"a.bias", Tensor::Full({kRows}, 2)});
    file.tensors.push_back({"other", Tensor::Zeros({2})});
    const std::vector<QuantizedLinear> read = TakeQuantizedLinears(file, "f");
    ASSERT_EQ(read.size(), 1u);
    EXPECT_EQ(read[0].name, "a");
    EXPECT_EQ(KindOf(read[0].weight), kind());
    ExpectBitEqual(read[0].bias, Tensor::Full({kRows}, 2));
    ASSERT_EQ(file.tensors.size(), 1u);
    EXPECT_EQ(file.tensors[0].name, "other");
    const std::vector<NamedTensor> again = TensorsOf(read[0].weight);
    ASSERT_EQ(again.size(), tensors.size());
    for (size_t i = 0; i < again.size(); ++i) {
      EXPECT_EQ(again[i].name, tensors[i].name);
      ExpectBitEqual(again[i].tensor, tensors[i].tensor);
    }
    ExpectBitEqual(Dequantize(read[0].weight), Dequantize(weight));
  }
}

TEST_P(LowBitTensorsOfKindTest, WhatIsMultipliedIsWhatItStandsFor) {
  for (const LowBitPattern& pattern : kLowBitPatterns) {
    SCOPED_TRACE(pattern.name);
    SafetensorsFile file{.tensors = TensorsOf(Rounded(pattern)), .metadata = {}};
    const std::vector<QuantizedLinear> read = TakeQuantizedLinears(file, "f");
    const Tensor dense = Dequantize(read.at(0).weight);
    const Mask mask = pattern.mask(kRows);
    for (int64_t i = 0; i < dense.numel(); ++i) {
      if (!mask.Keeps(i / pattern.cols, i % pattern.cols)) {
        ASSERT_EQ(dense.data<float>()[i], 0) << i;
      }
    }
    const sparse::LowBitWeight packed(std::get<LowBitParts>(read[0].weight));
    for (const int64_t batch : {1, 5, 30}) {
      const Tensor x = RandomF32({batch, pattern.cols}, {.seed = 9});
      ExpectClose(packed.Multiply(x), ops::Linear(x, dense), 1e-5, 1e-5);
    }
  }
}

TEST_P(LowBitTensorsOfKindTest, TensorsHaveTheNamesAndDtypesOfTheForm) {
  const auto described = [&](const LowBitPattern& pattern) {
    std::vector<std::string> lines;
    for (const NamedTensor& named : TensorsOf(Rounded(pattern))) {
      lines.push_back(named.name + " " + Describe(named.tensor));
    }
    return lines;
  };
  if (nvfp4()) {
    EXPECT_THAT(described(kLowBitPatterns[0]),
                ElementsAre("a.weight u8 [10, 24]", "a.weight_scale f8_e4m3 [10, 3]", "a.weight_scale_2 f32 [1]"));
    EXPECT_THAT(described(kLowBitPatterns[1]),
                ElementsAre("a.weight u8 [10, 17]", "a.weight_shape i64 [2]", "a.weight_scale f8_e4m3 [10, 3]",
                            "a.weight_scale_2 f32 [1]"));
    EXPECT_THAT(described(kLowBitPatterns[5]),
                ElementsAre("a.weight_values u8 [10, 10]", "a.weight_positions u8 [10, 5]", "a.weight_pattern i64 [4]",
                            "a.weight_scale f8_e4m3 [10, 2]", "a.weight_scale_2 f32 [1]"));
  } else {
    EXPECT_THAT(described(kLowBitPatterns[1]), ElementsAre("a.weight f8_e4m3 [10, 33]", "a.weight_scale f32 [10]"));
    EXPECT_THAT(described(kLowBitPatterns[5]),
                ElementsAre("a.weight_values f8_e4m3 [10, 20]", "a.weight_positions u8 [10, 5]",
                            "a.weight_pattern i64 [4]", "a.weight_scale f32 [10]"));
  }
}

TEST_P(LowBitTensorsOfKindTest, BecomeFloatsInTheirPlace) {
  for (const LowBitPattern& pattern : kLowBitPatterns) {
    SCOPED_TRACE(pattern.name);
    const QuantizedWeight weight = Rounded(pattern);
    SafetensorsFile file{.tensors = TensorsOf(weight), .metadata = {}};
    uint64_t bytes = 0;
    for (const NamedTensor& named : file.tensors) {
      bytes += static_cast<uint64_t>(named.tensor.numel()) * SizeOf(named.tensor.dtype());
    }
    file.tensors.insert(file.tensors.begin(), {"first", Tensor::Zeros({2})});
    file.tensors.push_back({"a.bias", Tensor::Zeros({kRows})});
    const PackedWeightInfo info = DequantizeTensors(file, "f").at("a.weight");
    EXPECT_EQ(info.kind, kind());
    EXPECT_EQ(info.form, pattern.form);
    EXPECT_EQ(info.pattern, pattern.form == WeightForm::kDense ? "dense" : "2:4");
    EXPECT_EQ(info.bytes, bytes);
    ASSERT_EQ(file.tensors.size(), 3u);
    EXPECT_EQ(file.tensors[1].name, "a.weight");
    ExpectBitEqual(file.tensors[1].tensor, Dequantize(weight));
  }
}

TEST_P(LowBitTensorsOfKindTest, OtherPatternsHaveNoForm) {
  const MaskFormat formats[] = {MaskFormat::Rows(4, 8), MaskFormat::Rows(1, 4), MaskFormat::Vnm({.v = 4, .m = 8})};
  for (const MaskFormat& format : formats) EXPECT_FALSE(HasFileForm(kind(), format)) << format.ToString();
  for (const LowBitPattern& pattern : kLowBitPatterns) EXPECT_TRUE(HasFileForm(kind(), pattern.format)) << pattern.name;
  const Mask mask = LowBitPattern{"1:4", {}, {"x   ", "x   ", "x   ", " x  "}, 8, {}}.mask(4);
  EXPECT_ERROR(Quantize(Tensor::Full({4, 8}, 1), mask, MaskFormat::Rows(1, 4), kind(), "w"), ErrorKind::kInvalidInput,
               HasSubstr("w: pattern 1:4 along rows, expected dense, 2:4"));
}

/// Bytes and floats of 8 bits with other scales beside them mean something else.
TEST(LowBitTensorsTest, ForeignWeightsStayAsTheyAre) {
  SafetensorsFile file{.tensors = {{"a.weight", Tensor::Zeros({2, 2}, DType::kU8)},
                                   {"a.weight_scale", Tensor::Full({2, 1}, 1)},
                                   {"b.weight", Tensor::Zeros({2, 2}, DType::kF8E4M3)},
                                   {"b.weight_scale_inv", Tensor::Full({1, 1}, 1)}},
                       .metadata = {}};
  RequireNoQuantizedWeights(file, "f");
  EXPECT_TRUE(DequantizeTensors(file, "f").empty());
  EXPECT_EQ(file.tensors.size(), 4u);
}

}  // namespace
}  // namespace twofour::train
