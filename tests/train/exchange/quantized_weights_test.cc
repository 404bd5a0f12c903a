#include "twofour/train/exchange/quantized_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/sparse/mask.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::train {
namespace {

using sparse::Mask;
using sparse::MaskFormat;
using test::ExpectBitEqual;
using test::RandomF32;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Names(const std::vector<NamedTensor>& tensors) {
  std::vector<std::string> names;
  for (const NamedTensor& named : tensors) names.push_back(named.name);
  return names;
}

/// A weight with many entries that are rounded to 0: most are 1000 times smaller than the first that a row keeps.
Tensor UnevenWeight(const Mask& mask) {
  Tensor weight = RandomF32({mask.rows(), mask.cols()}, {.seed = 3}, -0.001, 0.001);
  for (int64_t row = 0; row < mask.rows(); ++row) {
    int64_t col = 0;
    while (!mask.Keeps(row, col)) ++col;
    weight.mutable_data<float>()[row * mask.cols() + col] = 1;
  }
  return weight;
}

/// Keeps `four[i][j]` of rows and columns i, j modulo 4 in columns [first, first + 4) of each `m`.
Mask Repeated(int64_t rows, int64_t cols, const char* const (&four)[4], int64_t m = 4, int64_t first = 0) {
  Tensor kept = Tensor::Zeros({rows, cols}, DType::kBool);
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t col = 0; col < cols; ++col) {
      const int64_t in_group = col % m - first;
      kept.mutable_data<bool>()[row * cols + col] = in_group >= 0 && in_group < 4 && four[row % 4][in_group] == 'x';
    }
  }
  return Mask::FromTensor(kept);
}

constexpr const char* const kBothWays[4] = {"x x ", " x x", " xx ", "x  x"};
constexpr const char* const kAlongRows[4] = {"xx  ", "xx  ", "  xx", "xx  "};

struct Kind {
  const char* name;
  Mask mask;
  MaskFormat format;  ///< As it is read.
  WeightForm form;
};

std::vector<Kind> Kinds() {
  const MaskFormat vnm = MaskFormat::Vnm({.v = 8, .m = 8});
  return {
      {"dense", Mask::FromTensor(Tensor::Full({16, 32}, 1, DType::kBool)), MaskFormat::Dense(), WeightForm::kDense},
      {"both ways", Repeated(16, 32, kBothWays), MaskFormat::TwoOfFour(), WeightForm::kPacked},
      {"rows", Repeated(16, 32, kAlongRows), MaskFormat::Rows(2, 4), WeightForm::kPacked},
      {"1:8", Repeated(16, 32, {"x   ", "x   ", "x   ", "  x "}, 8, 2), MaskFormat::Rows(1, 8), WeightForm::kPacked},
      {"odd columns", Repeated(16, 30, {"xx  ", "xx  ", "xx  ", "xx  "}), MaskFormat::Rows(2, 4), WeightForm::kPacked},
      {"vnm", Repeated(16, 32, kBothWays, 8, 3), vnm, WeightForm::kPackedVnm}};
}

TEST(QuantizedWeightsTest, EveryFormComesBackWithItsMask) {
  for (const Kind& kind : Kinds()) {
    SCOPED_TRACE(kind.name);
    const Tensor weight = UnevenWeight(kind.mask);
    MaskedInt8Matrix quantized = QuantizeToInt8(weight, kind.mask, kind.format, "weight");
    quantized.activation = sparse::Int8Range{0.25F, 3};
    EXPECT_EQ(FormOf(quantized), kind.form);
    // What is kept and rounded to 0 is what could be lost.
    const Tensor dense = Dequantize(quantized);
    int64_t lost = 0;
    for (int64_t i = 0; i < dense.numel(); ++i) {
      lost += kind.mask.ToTensor().data<bool>()[i] && dense.data<float>()[i] == 0 ? 1 : 0;
    }
    EXPECT_GT(lost, kind.mask.CountKept() / 2);

    SafetensorsFile file{.tensors = {}, .metadata = {}};
    file.tensors.push_back({"other", Tensor::Zeros({2})});
    AppendQuantizedWeight("a.b", quantized, file.tensors);
    file.tensors.push_back({"a.b.bias", Tensor::Full({kind.mask.rows()}, 2)});
    const std::vector<QuantizedLinear> read = TakeQuantizedLinears(file, "f");
    EXPECT_THAT(Names(file.tensors), ElementsAre("other"));
    ASSERT_EQ(read.size(), 1u);
    EXPECT_EQ(read[0].name, "a.b");
    ExpectBitEqual(read[0].bias, Tensor::Full({kind.mask.rows()}, 2));
    const auto& same = std::get<MaskedInt8Matrix>(read[0].weight);
    ExpectBitEqual(same.matrix.values, quantized.matrix.values);
    ExpectBitEqual(same.matrix.scales, quantized.matrix.scales);
    EXPECT_EQ(same.mask, kind.mask);
    EXPECT_EQ(same.format, kind.format) << same.format.ToString();
    ASSERT_TRUE(same.activation);
    EXPECT_EQ(same.activation->scale, 0.25F);
    EXPECT_EQ(same.activation->zero_point, 3);
  }
}

TEST(QuantizedWeightsTest, PartsHaveTheNamesOfTheForm) {
  std::vector<std::vector<std::string>> names;
  for (const Kind& kind : Kinds()) {
    std::vector<NamedTensor> parts;
    AppendQuantizedWeight("a", QuantizeToInt8(UnevenWeight(kind.mask), kind.mask, kind.format, "w"), parts);
    names.push_back(Names(parts));
  }
  EXPECT_THAT(names[0], ElementsAre("a.weight", "a.weight_scale"));
  EXPECT_THAT(names[1], ElementsAre("a.weight_values", "a.weight_positions", "a.weight_pattern", "a.weight_scale"));
  EXPECT_THAT(names[5], ElementsAre("a.weight_vnm_values", "a.weight_vnm_positions", "a.weight_vnm_columns",
                                    "a.weight_vnm_pattern", "a.weight_scale"));
}

/// 4 bits of positions for each four columns and two bytes: 0.625 of the dense bytes, and the rest is for scales.
TEST(QuantizedWeightsTest, TwoOfFourTakesAtMost64HundredthsOfTheDenseBytes) {
  const auto bytes = [](const Mask& mask, const MaskFormat& format) {
    std::vector<NamedTensor> parts;
    AppendQuantizedWeight("a", QuantizeToInt8(UnevenWeight(mask), mask, format, "w"), parts);
    double sum = 0;
    for (const NamedTensor& part : parts) {
      sum += static_cast<double>(part.tensor.numel()) * static_cast<double>(SizeOf(part.tensor.dtype()));
    }
    return sum;
  };
  const double dense = bytes(Mask::FromTensor(Tensor::Full({512, 512}, 1, DType::kBool)), MaskFormat::Dense());
  EXPECT_LE(bytes(Repeated(512, 512, kBothWays), MaskFormat::TwoOfFour()), 0.64 * dense);
}

TEST(QuantizedWeightsTest, AMaskWithoutItsFormatIsStoredDense) {
  const Mask mask = Repeated(16, 32, kAlongRows);
  for (const MaskFormat& format : {MaskFormat::TwoOfFour(), MaskFormat::Rows(1, 4), MaskFormat::Vnm({.v = 4, .m = 8}),
                                   MaskFormat::Blocks(4, 4), MaskFormat::Unstructured()}) {
    SCOPED_TRACE(format.ToString());
    const MaskedInt8Matrix quantized = QuantizeToInt8(UnevenWeight(mask), mask, format, "w");
    EXPECT_EQ(FormOf(quantized), WeightForm::kDense);
    std::vector<NamedTensor> parts;
    AppendQuantizedWeight("a", quantized, parts);
    ExpectBitEqual(parts[0].tensor, quantized.matrix.values);
  }
}

using Change = std::function<void(std::vector<NamedTensor>&)>;

/// Changes the parts of a weight [16, 32] under this mask, and takes it out of a file with them.
void Take(const Mask& mask, const MaskFormat& format, const Change& change) {
  MaskedInt8Matrix weight = QuantizeToInt8(UnevenWeight(mask), mask, format, "w");
  weight.activation = sparse::Int8Range{0.25F, 3};
  SafetensorsFile file{.tensors = {}, .metadata = {}};
  AppendQuantizedWeight("a", weight, file.tensors);
  change(file.tensors);
  TakeQuantizedLinears(file, "f");
}
void TakeDense(const Change& change) {
  Take(Mask::FromTensor(Tensor::Full({16, 32}, 1, DType::kBool)), MaskFormat::Dense(), change);
}
void TakePacked(const Change& change) { Take(Repeated(16, 32, kBothWays), MaskFormat::TwoOfFour(), change); }

/// Puts another tensor in the place of the one of this name, or takes it away.
Change With(const std::string& name, const Tensor& tensor) {
  return [=](std::vector<NamedTensor>& tensors) {
    for (NamedTensor& named : tensors) {
      if (named.name == name && tensor.defined()) named.tensor = tensor;
    }
    if (!tensor.defined()) std::erase_if(tensors, [&](const NamedTensor& named) { return named.name == name; });
  };
}
Change And(const std::string& name, const Tensor& tensor) {
  return [=](std::vector<NamedTensor>& tensors) { tensors.push_back({name, tensor}); };
}

TEST(QuantizedWeightsTest, RefusesScalesThatAreNoScales) {
  const auto kBad = ErrorKind::kInvalidInput;
  const float kInfinity = std::numeric_limits<float>::infinity();
  for (const float scale : {0.0F, -1.0F, 3e38F, kInfinity, std::nanf("")}) {
    Tensor scales = Tensor::Full({16}, 1);
    scales.mutable_data<float>()[5] = scale;
    const auto in_row_5 = AllOf(HasSubstr("f: tensor 'a.weight_scale': "), HasSubstr(" for row 5, expected a number"));
    EXPECT_ERROR(TakeDense(With("a.weight_scale", scales)), kBad, in_row_5);
    EXPECT_ERROR(TakePacked(With("a.weight_scale", scales)), kBad, in_row_5);
    if (scale > 0 && scale < kInfinity) continue;  // A range of inputs may be as large.
    EXPECT_ERROR(TakeDense(With("a.input_scale", Tensor::Full({1}, scale))), kBad,
                 HasSubstr("f: tensor 'a.input_scale': "));
  }
  for (const Tensor& scales : {Tensor::Full({15}, 1), Tensor::Full({1, 16}, 1), Tensor::Full({16}, 1, DType::kF64)}) {
    EXPECT_ERROR(TakeDense(With("a.weight_scale", scales)), kBad, HasSubstr("expected f32 [16], one for each row"));
  }
  EXPECT_ERROR(TakeDense(With("a.input_scale", Tensor::Full({2}, 1))), kBad,
               "f: tensor 'a.input_scale': f32 [2], expected f32 [1]");
  EXPECT_ERROR(TakeDense(With("a.input_zero_point", Tensor::Full({1}, 1, DType::kU8))), kBad,
               "f: tensor 'a.input_zero_point': u8 [1], expected i8 [1]");
}

TEST(QuantizedWeightsTest, RefusesPartsThatAreMissingOrTooMany) {
  const auto kBad = ErrorKind::kInvalidInput;
  EXPECT_ERROR(TakeDense(With("a.weight_scale", {})), kBad,
               "f: tensor 'a.weight': is of int8, but 'a.weight_scale' is missing");
  EXPECT_ERROR(TakePacked(With("a.weight_scale", {})), kBad,
               "f: tensor 'a.weight_values': is of int8, but 'a.weight_scale' is missing");
  EXPECT_ERROR(TakePacked(With("a.weight_positions", {})), kBad,
               "f: tensor 'a.weight' is packed, but 'a.weight_positions' is missing");
  EXPECT_ERROR(TakeDense(With("a.input_zero_point", {})), kBad, HasSubstr("but 'a.input_zero_point' is missing"));
  EXPECT_ERROR(TakeDense(With("a.input_scale", {})), kBad, HasSubstr("but 'a.input_scale' is missing"));
  EXPECT_ERROR(TakeDense(And("b.weight_scale", Tensor::Full({16}, 1))), kBad,
               HasSubstr("f: tensor 'b.weight_scale': there is no weight of few bits to which it belongs"));
  EXPECT_ERROR(TakeDense(And("a.weight_scale_2", Tensor::Full({1}, 1))), kBad,
               "f: tensor 'a.weight_scale_2': 'a.weight' is of int8 and dense, expected no such part of it");
  EXPECT_ERROR(TakeDense(And("a.weight_positions", Tensor::Zeros({16, 8}, DType::kU8))), kBad,
               "f: tensor 'a.weight_positions': 'a.weight' is of int8 and dense, expected no such part of it");
  EXPECT_ERROR(TakeDense(With("a.weight", Tensor::Full({16, 32}, 1))), kBad,
               HasSubstr("f: tensor 'a.weight_scale': there is no weight of few bits to which it belongs"));
  EXPECT_ERROR(TakePacked(And("a.weight", Tensor::Full({16, 32}, 1, DType::kI8))), kBad,
               HasSubstr("f: tensor 'a.weight': is there both "));
  EXPECT_ERROR(TakePacked(And("a.weight", Tensor::Full({16, 32}, 1))), kBad,
               "f: tensor 'a.weight': is there both dense and packed");
}

TEST(QuantizedWeightsTest, RefusesValuesThatAreNoWeight) {
  const auto kBad = ErrorKind::kInvalidInput;
  Tensor values = Tensor::Full({16, 32}, 1, DType::kI8);
  values.mutable_data<int8_t>()[32 + 7] = -128;
  EXPECT_ERROR(TakeDense(With("a.weight", values)), kBad,
               "f: tensor 'a.weight': value -128 at [1, 7], expected -127 to 127");
  EXPECT_ERROR(TakePacked(With("a.weight_values", Tensor::Full({16, 16}, -128, DType::kI8))), kBad,
               HasSubstr("value -128 at [0, 0]"));
  EXPECT_ERROR(TakePacked(With("a.weight_positions", Tensor::Zeros({16, 4}, DType::kU8))), kBad,
               HasSubstr("expected places that ascend"));
  EXPECT_ERROR(TakePacked(With("a.weight_pattern", Tensor::FromVector<int64_t>({16, 1'000'000, 2, 4}, {4}))), kBad,
               HasSubstr("f: tensor 'a.weight': values are i8 [16, 16], expected i8 [16, 500000]"));
  EXPECT_ERROR(TakeDense(With("a.weight", Tensor::Full({16}, 1, DType::kI8))), kBad, HasSubstr("expected i8 [rows"));
  EXPECT_ERROR(TakeDense(With("a.weight", Tensor::Zeros({0, 8}, DType::kI8))), kBad, HasSubstr("at least one row"));
  EXPECT_ERROR(TakeDense(With("a.weight", Tensor::Zeros({1, sparse::kMostInt8Columns + 1}, DType::kI8))), kBad,
               "f: tensor 'a.weight': shape [1, 65537], expected at least one row, and 1 to 65536 columns");
}

TEST(QuantizedWeightsTest, OtherFilesMustHaveNone) {
  SafetensorsFile file{.tensors = {{"a.weight", Tensor::Zeros({2, 4})}, {"i", Tensor::Zeros({2}, DType::kI8)}},
                       .metadata = {}};
  file.tensors.push_back({"c.weight_scale", Tensor::Zeros({2})});
  file.tensors.push_back({"d.weight", Tensor::Zeros({2, 4}, DType::kI8)});  // Whatever it is, it has no scales.
  RequireNoQuantizedWeights(file, "f");
  for (const NamedTensor& bad : {NamedTensor{"c.weight", Tensor::Zeros({2, 4}, DType::kI8)},
                                 NamedTensor{"c.weight_values", Tensor::Zeros({2, 4}, DType::kI8)},
                                 NamedTensor{"c.weight_vnm_values", Tensor::Zeros({2, 4}, DType::kI8)}}) {
    SafetensorsFile with = file;
    with.tensors.push_back(bad);
    EXPECT_ERROR(RequireNoQuantizedWeights(with, "f"), ErrorKind::kInvalidInput,
                 HasSubstr("f: tensor '" + bad.name + "': is of a weight of int8"));
  }
}

TEST(QuantizedWeightsTest, BecomeFloatsInTheirPlace) {
  for (const Kind& kind : Kinds()) {
    SCOPED_TRACE(kind.name);
    MaskedInt8Matrix weight = QuantizeToInt8(UnevenWeight(kind.mask), kind.mask, kind.format, "weight");
    weight.activation = sparse::Int8Range{0.25F, 3};
    SafetensorsFile file{.tensors = {}, .metadata = {}};
    file.tensors.push_back({"first", Tensor::Zeros({2})});
    AppendQuantizedWeight("a", weight, file.tensors);
    file.tensors.push_back({"a.bias", Tensor::Zeros({16})});
    const PackedWeightInfo info = DequantizeTensors(file, "f").at("a.weight");
    EXPECT_EQ(info.kind, sparse::LowBitKind::kInt8);
    EXPECT_EQ(info.form, kind.form);
    EXPECT_THAT(Names(file.tensors), ElementsAre("first", "a.weight", "a.bias"));
    for (int64_t row = 0; row < kind.mask.rows(); ++row) {
      for (int64_t col = 0; col < kind.mask.cols(); ++col) {
        const int64_t i = row * kind.mask.cols() + col;
        const float expected = weight.matrix.scales.data<float>()[row] * weight.matrix.values.data<int8_t>()[i];
        ASSERT_EQ(file.tensors[1].tensor.data<float>()[i], expected) << row << ", " << col;
      }
    }
  }
}

TEST(QuantizedWeightsTest, ScalesMayBeAColumnOfHalves) {
  SafetensorsFile file{.tensors = {{"a.weight", Tensor::Full({2, 4}, 3, DType::kI8)},
                                   {"a.weight_scale", test::F32({0.5F, 2}, {2, 1}).To(DType::kBF16)}},
                       .metadata = {}};
  DequantizeTensors(file, "f");
  EXPECT_EQ(file.Find("a.weight")->ToVector(), (std::vector<float>{1.5F, 1.5F, 1.5F, 1.5F, 6, 6, 6, 6}));
}

/// compressed-tensors has them, and zeros where weights are symmetric.
TEST(QuantizedWeightsTest, AZeroPointOfAWeightMustBeZero) {
  const auto kBad = ErrorKind::kInvalidInput;
  for (const DType values : {DType::kI8, DType::kF8E4M3}) {
    SafetensorsFile file{
        .tensors = {{"a.weight", Tensor::Full({2, 4}, 1, values)}, {"a.weight_scale", Tensor::Full({2}, 1)}},
        .metadata = {}};
    SafetensorsFile symmetric = file, skipped = file, own = file;
    symmetric.tensors.push_back({"a.weight_zero_point", Tensor::Zeros({2, 1}, DType::kI8)});
    own.tensors = symmetric.tensors;
    DequantizeTensors(symmetric, "f");
    EXPECT_THAT(Names(symmetric.tensors), ElementsAre("a.weight"));
    EXPECT_ERROR(TakeQuantizedLinears(own, "f"), kBad, HasSubstr("'a.weight_zero_point': 'a.weight' is of "));
    file.tensors.push_back({"a.weight_zero_point", Tensor::Full({2}, 5, DType::kI8)});
    EXPECT_ERROR(DequantizeTensors(file, "f"), kBad, HasSubstr("'a.weight_zero_point': a zero point of a weight"));
    EXPECT_ERROR(TakeQuantizedLinears(file, "f"), kBad, HasSubstr("a zero point of a weight, expected none, or zeros"));
    skipped.skipped.push_back({"a.weight_zero_point", "I4", {2}});
    EXPECT_ERROR(DequantizeTensors(skipped, "f"), kBad, HasSubstr("a zero point of a weight"));
  }
}

/// ModelOpt has one beside each weight; what is imported computes in floats.
TEST(QuantizedWeightsTest, RangesOfInputsOfFloatsAreLeftOut) {
  SafetensorsFile file{.tensors = {{"a.weight", Tensor::Full({2, 8}, 0x22, DType::kU8)},
                                   {"a.weight_scale", Tensor::Full({2, 1}, 1, DType::kF8E4M3)},
                                   {"a.weight_scale_2", Tensor::Full({}, 2)},
                                   {"a.input_scale", Tensor::Full({}, 0.1)}},
                       .metadata = {}};
  SafetensorsFile own = file, incomplete = file;
  DequantizeTensors(file, "f");
  EXPECT_THAT(Names(file.tensors), ElementsAre("a.weight"));
  EXPECT_EQ(file.tensors[0].tensor.ToVector(), std::vector<float>(32, 2));
  EXPECT_ERROR(TakeQuantizedLinears(own, "f"), ErrorKind::kInvalidInput, HasSubstr("expected no such part of it"));
  std::erase_if(incomplete.tensors, [](const NamedTensor& named) { return named.name == "a.weight_scale_2"; });
  EXPECT_ERROR(DequantizeTensors(incomplete, "f"), ErrorKind::kInvalidInput,
               "f: tensor 'a.weight': is of nvfp4, but 'a.weight_scale_2' is missing");
}

/// Other programs have weights and scales of other types, which mean something else.
TEST(QuantizedWeightsTest, ForeignScalesStayAsTheyAre) {
  SafetensorsFile file{
      .tensors = {{"a.weight_scale", Tensor::Zeros({1})}, {"b.weight", Tensor::Zeros({2, 2}, DType::kI8)}},
      .metadata = {}};
  EXPECT_TRUE(DequantizeTensors(file, "f").empty());
  EXPECT_THAT(Names(file.tensors), ElementsAre("a.weight_scale", "b.weight"));
}

}  // namespace
}  // namespace twofour::train
