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
    AppendWeight({"a.weight", Weight()}, form, {2, 4}, file.tensors);
    file.tensors.push_back({"b", Tensor::Zeros({2})});
    UnpackTensors(file, "f");
    EXPECT_THAT(NamesOf(file.tensors), ElementsAre("a.bias", "a.weight", "b"));
    ExpectBitEqual(file.tensors[1].tensor, Weight());
  }
}

TEST(PackedTensorsTest, PartsHaveTheNamesOfTheForm) {
  std::vector<NamedTensor> parts;
  AppendWeight({"h.0.c.weight", Weight()}, WeightForm::kPacked, {2, 4}, parts);
  AppendWeight({"h.0.d.weight", Weight()}, WeightForm::kBitmask24, {2, 4}, parts);
  AppendWeight({"h.0.e.weight", Weight()}, WeightForm::kSemiStructured, {2, 4}, parts);
  EXPECT_THAT(NamesOf(parts),
              ElementsAre("h.0.c.weight_values", "h.0.c.weight_positions", "h.0.c.weight_pattern", "h.0.d.compressed",
                          "h.0.d.bitmask", "h.0.d.shape", "h.0.e.weight_packed", "h.0.e.weight_meta"));
  EXPECT_ERROR(AppendWeight({"c", Weight()}, WeightForm::kPacked, {2, 4}, parts), ErrorKind::kInvalidInput,
               "tensor 'c': expected a name that ends in .weight");
  EXPECT_ERROR(AppendWeight({"a.weight", Tensor::Full({2, 4}, 1.0)}, WeightForm::kPacked, {2, 4}, parts),
               ErrorKind::kInvalidInput, "tensor 'a.weight': row 0 has 4 non-zeros in columns 0 to 3, 2:4 allows 2");
}

TEST(PackedTensorsTest, RefusesPartsThatAreMissingOrTooMany) {
  const auto unpack = [](WeightForm form, auto change) {
    SafetensorsFile file{.tensors = {}, .metadata = {}};
    AppendWeight({"a.weight", Weight()}, form, {2, 4}, file.tensors);
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
