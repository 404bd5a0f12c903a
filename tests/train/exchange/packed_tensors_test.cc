#include "twofour/train/exchange/packed_tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "twofour/core/error.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::train {
namespace {

using test::ExpectBitEqual;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const sparse::MaskFormat kTwoOfFour = sparse::MaskFormat::Rows(2, 4);

/// f16 [32, 64], with two non-zeros in each group of four.
Tensor Weight() {
  Tensor weight = Tensor::Zeros({32, 64});
  for (int64_t i = 0; i < weight.numel(); i += 4) {
    weight.mutable_data<float>()[i + i / 64 % 3] = 1;
    weight.mutable_data<float>()[i + 3] = static_cast<float>(i % 7 + 1);
  }
  return weight.To(DType::kF16);
}

std::vector<std::string> NamesOf(const std::vector<NamedTensor>& tensors) {
  std::vector<std::string> names;
  for (const NamedTensor& named : tensors) names.push_back(named.name);
  return names;
}

TEST(PackedTensorsTest, EveryFormComesBackInItsPlace) {
  for (const WeightForm form :
       {WeightForm::kDense, WeightForm::kPacked, WeightForm::kBitmask24, WeightForm::kSemiStructured}) {
    SCOPED_TRACE(NameOf(form));
    SafetensorsFile file{.tensors = {}, .metadata = {}};
    file.tensors.push_back({"a.bias", Tensor::Zeros({3})});
    AppendWeight({"a.weight", Weight()}, form, kTwoOfFour, file.tensors);
    file.tensors.push_back({"b", Tensor::Zeros({2})});
    UnpackTensors(file, "f");
    EXPECT_THAT(NamesOf(file.tensors), ElementsAre("a.bias", "a.weight", "b"));
    ExpectBitEqual(file.tensors[1].tensor, Weight());
  }
}

/// f16 [32, 64] that is 16:2:8: every fourth row keeps other ones of columns 1, 2, 5 and 7 of each eight.
Tensor VnmWeight() {
  constexpr int64_t kColumns[] = {1, 2, 5, 7};
  Tensor weight = Tensor::Zeros({32, 64});
  for (int64_t i = 0; i < weight.numel(); i += 8) {
    for (const int64_t which : {i / 64 % 4, (i / 64 + 1) % 4}) weight.mutable_data<float>()[i + kColumns[which]] = 1;
  }
  return weight.To(DType::kF16);
}

TEST(PackedTensorsTest, VnmWeightsHaveAFormOfTheirOwn) {
  const sparse::MaskFormat pattern = sparse::MaskFormat::Vnm({.v = 16, .m = 8});
  SafetensorsFile file{.tensors = {}, .metadata = {}};
  AppendWeight({"a.weight", VnmWeight()}, WeightForm::kPackedVnm, pattern, file.tensors);
  EXPECT_THAT(NamesOf(file.tensors), ElementsAre("a.weight_vnm_values", "a.weight_vnm_positions",
                                                 "a.weight_vnm_columns", "a.weight_vnm_pattern"));
  const PackedWeightInfo info = UnpackTensors(file, "f").at("a.weight");
  EXPECT_EQ(info.form, WeightForm::kPackedVnm);
  EXPECT_EQ(info.pattern, "16:2:8");
  EXPECT_EQ(info.bytes, 32u * 64 / 8 * (2 * 2) + 32 * 64 / 16 + 2 * 8 * 4 + 5 * 8);
  ASSERT_THAT(NamesOf(file.tensors), ElementsAre("a.weight"));
  ExpectBitEqual(file.tensors[0].tensor, VnmWeight());
  EXPECT_ERROR(AppendWeight({"a.weight", Weight()}, WeightForm::kPackedVnm, pattern, file.tensors),
               ErrorKind::kInvalidInput,
               HasSubstr("tensor 'a.weight': is not 16:2:8: 8 columns are not zero in rows 0 to 15, columns 0 to 7"));
}

TEST(PackedTensorsTest, PartsHaveTheNamesOfTheForm) {
  std::vector<NamedTensor> parts;
  AppendWeight({"h.0.c.weight", Weight()}, WeightForm::kPacked, kTwoOfFour, parts);
  AppendWeight({"h.0.d.weight", Weight()}, WeightForm::kBitmask24, kTwoOfFour, parts);
  AppendWeight({"h.0.e.weight", Weight()}, WeightForm::kSemiStructured, kTwoOfFour, parts);
  EXPECT_THAT(NamesOf(parts),
              ElementsAre("h.0.c.weight_values", "h.0.c.weight_positions", "h.0.c.weight_pattern", "h.0.d.compressed",
                          "h.0.d.bitmask", "h.0.d.shape", "h.0.e.weight_packed", "h.0.e.weight_meta"));
  EXPECT_ERROR(AppendWeight({"c", Weight()}, WeightForm::kPacked, kTwoOfFour, parts), ErrorKind::kInvalidInput,
               "tensor 'c': expected a name that ends in .weight");
  EXPECT_ERROR(AppendWeight({"a.weight", Tensor::Full({2, 4}, 1.0)}, WeightForm::kPacked, kTwoOfFour, parts),
               ErrorKind::kInvalidInput, "tensor 'a.weight': row 0 has 4 non-zeros in columns 0 to 3, 2:4 allows 2");
}

TEST(PackedTensorsTest, RefusesPartsThatAreMissingOrTooMany) {
  const auto unpack = [](WeightForm form, auto change) {
    SafetensorsFile file{.tensors = {}, .metadata = {}};
    AppendWeight({"a.weight", Weight()}, form, kTwoOfFour, file.tensors);
    change(file.tensors);
    UnpackTensors(file, "f");
  };
  EXPECT_ERROR(unpack(WeightForm::kPacked, [](auto& tensors) { tensors.pop_back(); }), ErrorKind::kInvalidInput,
               "f: tensor 'a.weight' is packed, but 'a.weight_pattern' is missing");
  EXPECT_ERROR(unpack(WeightForm::kBitmask24, [](auto& tensors) { tensors.erase(tensors.begin()); }),
               ErrorKind::kInvalidInput, "f: tensor 'a.weight' is sparse24-bitmask, but 'a.compressed' is missing");
  EXPECT_ERROR(unpack(WeightForm::kPacked,
                      [](auto& tensors) {
                        tensors.push_back({"a.weight", Weight()});
                      }),
               ErrorKind::kInvalidInput, "f: tensor 'a.weight': is there both dense and packed");
  EXPECT_ERROR(unpack(WeightForm::kPacked,
                      [](auto& tensors) {
                        tensors.push_back({"a.weight_meta", Weight()});
                      }),
               ErrorKind::kInvalidInput, "f: tensor 'a.weight': is there both packed and semi-structured");
  EXPECT_ERROR(unpack(WeightForm::kSemiStructured, [](auto& tensors) { tensors[1].tensor = Tensor::Zeros({1}); }),
               ErrorKind::kInvalidInput, HasSubstr("f: tensor 'a.weight': meta is f32 [1]"));
}

}  // namespace
}  // namespace twofour::train
