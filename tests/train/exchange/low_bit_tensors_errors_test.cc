// What is refused of weights of fp8 and nvfp4 in files.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/train/exchange/quantized_weights.h"

#include "tests/support/expect_error.h"
#include "tests/train/exchange/low_bit_patterns.h"

namespace twofour::train {
namespace {

using sparse::LowBitKind;
using test::kLowBitPatterns;
using test::LowBitPattern;
using ::testing::AllOf;
using ::testing::HasSubstr;

class LowBitTensorsErrorsTest : public test::LowBitTensorsRunner {
 protected:
  using Change = std::function<void(SafetensorsFile&)>;
  /// Changes the tensors of a weight and takes it out of a file with them.
  void Take(const LowBitPattern& pattern, const Change& change) const {
    SafetensorsFile file{.tensors = TensorsOf(Rounded(pattern)), .metadata = {}};
    change(file);
    TakeQuantizedLinears(file, "f");
  }
  /// Takes it with another tensor of this name, or with none.
  void TakeWith(const LowBitPattern& pattern, const std::string& name, const Tensor& tensor) const {
    Take(pattern, [&](SafetensorsFile& file) {
      std::erase_if(file.tensors, [&](const NamedTensor& named) { return named.name == name; });
      if (tensor.defined()) file.tensors.push_back({name, tensor});
    });
  }
  /// The same with a byte of it changed.
  void TakeWithByte(const LowBitPattern& pattern, const std::string& name, int64_t at, uint8_t byte) const {
    Take(pattern, [&](SafetensorsFile& file) {
      for (NamedTensor& named : file.tensors) {
        if (named.name == name) reinterpret_cast<uint8_t*>(named.tensor.mutable_raw())[at] = byte;
      }
    });
  }
};
INSTANTIATE_TEST_SUITE_P(Kinds, LowBitTensorsErrorsTest, ::testing::Values(LowBitKind::kE4M3, LowBitKind::kNvfp4),
                         test::NameOfKind);

TEST_P(LowBitTensorsErrorsTest, RefusesScalesThatAreNoScales) {
  const auto kBad = ErrorKind::kInvalidInput;
  const std::string name = nvfp4() ? "a.weight_scale_2" : "a.weight_scale";
  const int64_t scales = nvfp4() ? 1 : kRows;
  for (const LowBitPattern& pattern : {kLowBitPatterns[0], kLowBitPatterns[3]}) {
    SCOPED_TRACE(pattern.name);
    const std::string where = nvfp4() ? "f: tensor 'a.weight': scale 0 is " : "f: tensor 'a.weight_scale': ";
    for (const float bad : {0.0F, -1.0F, 3e38F, std::numeric_limits<float>::infinity(), std::nanf("")}) {
      EXPECT_ERROR(TakeWith(pattern, name, Tensor::Full({scales}, bad)), kBad,
                   AllOf(HasSubstr(where), HasSubstr("expected a number above 0 with which")));
    }
    for (const Tensor& tensor : {Tensor::Full({scales + 1}, 1), Tensor::Full({1, scales}, 1),
                                 Tensor::Full({scales}, 1, DType::kF64), Tensor::Zeros({0})}) {
      EXPECT_ERROR(TakeWith(pattern, name, tensor), kBad,
                   HasSubstr(fmt::format("f: tensor '{}': {}, expected f32 [{}]", name, Describe(tensor), scales)));
    }
    if (!nvfp4()) continue;
    for (const uint8_t bad : {0x00, 0x80, 0xb8, 0x7f, 0xff}) {  // 0, -0, -1 and NaNs.
      EXPECT_ERROR(TakeWithByte(pattern, "a.weight_scale", 1, bad), kBad,
                   HasSubstr(fmt::format("f: tensor 'a.weight': {} at [", bad)));
    }
    const int64_t blocks = pattern.form == WeightForm::kDense ? 3 : 2;
    for (const Tensor& tensor : {Tensor::Zeros({kRows, blocks + 1}, DType::kF8E4M3),
                                 Tensor::Zeros({kRows, blocks}, DType::kU8), Tensor::Full({kRows, blocks}, 1)}) {
      EXPECT_ERROR(TakeWith(pattern, "a.weight_scale", tensor), kBad,
                   fmt::format("f: tensor 'a.weight_scale': {}, expected f8_e4m3 [10, {}]", Describe(tensor), blocks));
    }
  }
}

TEST_P(LowBitTensorsErrorsTest, RefusesPartsThatAreMissingOrTooMany) {
  const auto kBad = ErrorKind::kInvalidInput;
  const LowBitPattern &dense = kLowBitPatterns[0], &packed = kLowBitPatterns[3];
  const std::string is_of = fmt::format("is of {}", NameOf(kind()));
  EXPECT_ERROR(TakeWith(dense, "a.weight_scale", {}), kBad,
               fmt::format("f: tensor 'a.weight': {}, but 'a.weight_scale' is missing", is_of));
  EXPECT_ERROR(TakeWith(packed, "a.weight_scale", {}), kBad,
               fmt::format("f: tensor 'a.weight_values': {}, but 'a.weight_scale' is missing", is_of));
  for (const char* const part : {"a.weight_positions", "a.weight_pattern"}) {
    EXPECT_ERROR(TakeWith(packed, part, {}), kBad,
                 fmt::format("f: tensor 'a.weight' is packed, but '{}' is missing", part));
    EXPECT_ERROR(TakeWith(dense, part, Tensor::Zeros({2}, DType::kU8)), kBad,
                 fmt::format("f: tensor '{}': 'a.weight' {} and dense, expected no such part of it", part, is_of));
  }
  EXPECT_ERROR(TakeWith(dense, "a.weight", {}), kBad,
               HasSubstr("there is no weight of few bits to which it belongs, expected 'a.weight' in I8, F8_E4M3 or"));
  EXPECT_ERROR(TakeWith(dense, "a.weight", Tensor::Zeros({kRows, 48})), kBad, HasSubstr("there is no weight of few"));
  EXPECT_ERROR(TakeWith(dense, "b.weight_scale", Tensor::Zeros({kRows})), kBad,
               HasSubstr("f: tensor 'b.weight_scale': there is no weight of few bits"));
  EXPECT_ERROR(TakeWith(packed, "a.weight", Tensor::Zeros({kRows, 48})), kBad,
               "f: tensor 'a.weight': is there both dense and packed");
  EXPECT_ERROR(TakeWith(packed, "a.weight", Tensor::Zeros({kRows, 48}, DType::kI8)), kBad,
               "f: tensor 'a.weight': is there both packed and dense");
  EXPECT_ERROR(Take(packed,
                    [](SafetensorsFile& file) {
                      file.skipped.push_back({"a.weight", "F4", {10, 48}});
                    }),
               kBad, "f: tensor 'a.weight': is there both dense and packed");
  std::vector<std::string> surplus = {"a.input_scale", "a.input_zero_point"};
  if (nvfp4()) {
    EXPECT_ERROR(TakeWith(dense, "a.weight_scale_2", {}), kBad,
                 "f: tensor 'a.weight': is of nvfp4, but 'a.weight_scale_2' is missing");
  } else {
    surplus.insert(surplus.end(), {"a.weight_scale_2", "a.weight_shape"});
  }
  for (const std::string& name : surplus) {
    EXPECT_ERROR(TakeWith(dense, name, Tensor::Full({1}, 1)), kBad, HasSubstr("expected no such part of it"));
  }
  EXPECT_ERROR(TakeWith(packed, "a.weight_shape", Tensor::FromVector<int64_t>({10, 48}, {2})), kBad,
               HasSubstr("f: tensor 'a.weight_shape': 'a.weight' is of "));
}

TEST_P(LowBitTensorsErrorsTest, RefusesCodesAndPlacesThatAreNone) {
  const auto kBad = ErrorKind::kInvalidInput;
  const LowBitPattern &dense = kLowBitPatterns[0], &odd = kLowBitPatterns[1], &packed = kLowBitPatterns[3],
                      &odd_packed = kLowBitPatterns[5];
  if (nvfp4()) {
    EXPECT_ERROR(TakeWithByte(odd, "a.weight", 17 + 16, 0x11), kBad,
                 "f: tensor 'a.weight': a code after the last one of row 1");
  } else {
    for (const uint8_t nan : {0x7f, 0xff}) {
      EXPECT_ERROR(TakeWithByte(dense, "a.weight", 48 + 7, nan), kBad,
                   HasSubstr(" at [1, 7] of codes, expected bytes"));
      EXPECT_ERROR(TakeWithByte(packed, "a.weight_values", 24 + 7, nan), kBad, HasSubstr(" at [1, 7] of codes"));
    }
  }
  EXPECT_ERROR(TakeWithByte(packed, "a.weight_positions", 6 + 2, 0x14), kBad,
               "f: tensor 'a.weight': positions 1 and 0 of group 5 of row 1, expected two that ascend");
  EXPECT_ERROR(TakeWithByte(packed, "a.weight_positions", 6 + 2, 0x45), kBad,
               "f: tensor 'a.weight': positions 1 and 1 of group 4 of row 1, expected two that ascend");
  EXPECT_ERROR(TakeWithByte(odd_packed, "a.weight_positions", 4, 0xc4), kBad,
               HasSubstr("f: tensor 'a.weight': row 0 has a value other than 0 in column 39 of 39"));
}

TEST_P(LowBitTensorsErrorsTest, RefusesShapesThatDoNotFit) {
  const auto kBad = ErrorKind::kInvalidInput;
  const LowBitPattern &dense = kLowBitPatterns[0], &odd = kLowBitPatterns[1], &packed = kLowBitPatterns[3];
  const DType values = nvfp4() ? DType::kU8 : DType::kF8E4M3;
  const std::string name(NameOf(values));
  EXPECT_ERROR(TakeWith(dense, "a.weight", Tensor::Zeros({48}, values)), kBad,
               HasSubstr(fmt::format("f: tensor 'a.weight': {} [48], expected {} [rows, ", name, name)));
  EXPECT_ERROR(TakeWith(dense, "a.weight", Tensor::Zeros({0, 48}, values)), kBad, HasSubstr("at least one row"));
  EXPECT_ERROR(TakeWith(dense, "a.weight", Tensor::Zeros({10, 0}, values)), kBad, HasSubstr("at least one row"));
  EXPECT_ERROR(TakeWith(dense, "a.weight", Tensor::Zeros({11, 48}, values)), kBad, HasSubstr("expected f"));
  EXPECT_ERROR(
      TakeWith(packed, "a.weight_values", Tensor::Zeros({10, 22}, values)), kBad,
      fmt::format("f: tensor 'a.weight_values': {} [10, 22], expected {} [10, {}]", name, name, nvfp4() ? 12 : 24));
  EXPECT_ERROR(TakeWith(packed, "a.weight_positions", Tensor::Zeros({10, 7}, DType::kU8)), kBad,
               "f: tensor 'a.weight_positions': u8 [10, 7], expected u8 [10, 6]");
  EXPECT_ERROR(TakeWith(packed, "a.weight_positions", Tensor::Zeros({10, 6}, DType::kI8)), kBad,
               "f: tensor 'a.weight_positions': i8 [10, 6], expected u8 [10, 6]");
  const auto pattern = [&](std::vector<int64_t> numbers) {
    const auto count = static_cast<int64_t>(numbers.size());
    TakeWith(packed, "a.weight_pattern", Tensor::FromVector(std::move(numbers), {count}));
  };
  EXPECT_ERROR(pattern({10, 48, 2}), kBad, "f: tensor 'a.weight_pattern': i64 [3], expected i64 [4]");
  EXPECT_ERROR(pattern({10, 48, 1, 4}), kBad,
               fmt::format("f: tensor 'a.weight_pattern': 1:4, expected 2:4 for {}", NameOf(kind())));
  EXPECT_ERROR(pattern({10, 44, 2, 4}), kBad, HasSubstr("f: tensor 'a.weight_values': "));
  EXPECT_ERROR(pattern({9, 48, 2, 4}), kBad, HasSubstr("f: tensor 'a.weight_values': "));
  EXPECT_ERROR(pattern({10, 0, 2, 4}), kBad, HasSubstr("at least one row"));
  const int64_t most = std::numeric_limits<int64_t>::max();
  for (const int64_t size : {most, -most, int64_t{-1}, int64_t{1} << 31}) {
    EXPECT_ERROR(pattern({10, size, 2, 4}), kBad, HasSubstr("f: tensor 'a.weight': shape [10, "));
    EXPECT_ERROR(pattern({size, 48, 2, 4}), kBad, HasSubstr("f: tensor 'a.weight"));
  }
  if (!nvfp4()) return;
  const auto shape = [&](const LowBitPattern& of, const Tensor& tensor) { TakeWith(of, "a.weight_shape", tensor); };
  SafetensorsFile even{.tensors = TensorsOf(Rounded(odd)), .metadata = {}};
  std::erase_if(even.tensors, [](const NamedTensor& named) { return named.name == "a.weight_shape"; });
  EXPECT_EQ(Dequantize(TakeQuantizedLinears(even, "f").at(0).weight).shape(), (Shape{10, 34}));
  EXPECT_ERROR(shape(odd, Tensor::FromVector<int64_t>({10, 34}, {2})), kBad,
               "f: tensor 'a.weight_shape': [10, 34], expected [10, 33], or no such tensor for an even number of "
               "columns");
  EXPECT_ERROR(shape(dense, Tensor::FromVector<int64_t>({10, 48}, {2})), kBad,
               HasSubstr("f: tensor 'a.weight_shape': [10, 48], expected [10, 47], or no such tensor"));
  EXPECT_ERROR(shape(odd, Tensor::FromVector<int64_t>({33}, {1})), kBad,
               "f: tensor 'a.weight_shape': i64 [1], expected i64 [2]");
}

TEST_P(LowBitTensorsErrorsTest, RunsOfFloatsMustHaveNone) {
  for (const LowBitPattern& pattern : {kLowBitPatterns[0], kLowBitPatterns[3]}) {
    const SafetensorsFile file{.tensors = TensorsOf(Rounded(pattern)), .metadata = {}};
    EXPECT_ERROR(RequireNoQuantizedWeights(file, "f"), ErrorKind::kInvalidInput,
                 HasSubstr(fmt::format(": is of a weight of {}, as only runs", NameOf(kind()))));
  }
}

}  // namespace
}  // namespace twofour::train
