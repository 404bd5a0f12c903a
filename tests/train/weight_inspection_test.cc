#include "twofour/train/weight_inspection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace twofour::train {
namespace {

using sparse::GroupPattern;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(WeightInspection, AMaskBelongsToItsWeight) {
  const Tensor weight = Tensor::FromVector<float>({1, 2, 3, 4}, {1, 4});
  SafetensorsFile file{.tensors = {{"a.weight", weight}, {"b.weight", weight}}, .metadata = {}};
  file.tensors.push_back({"a.weight_mask", Tensor::Zeros({1, 4}, DType::kBool)});
  file.tensors.back().tensor.mutable_data<bool>()[2] = true;
  file.tensors.push_back({"b.weight_mask", Tensor::Zeros({4, 1}, DType::kBool)});  // Of another shape.
  const std::vector<TensorInspection> found = InspectTensors(file, "f").tensors;
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].name, "a.weight");
  EXPECT_TRUE(found[0].masked);
  EXPECT_EQ(found[0].sparsity, 0.75);
  EXPECT_THAT(found[0].along_rows, ElementsAre(GroupPattern{1, 4}));
  EXPECT_FALSE(found[0].first_in_rows.has_value());
  EXPECT_FALSE(found[1].masked);
  EXPECT_EQ(found[1].sparsity, 0.0);
  ASSERT_TRUE(found[1].first_in_rows.has_value());
  EXPECT_EQ(found[1].first_in_rows->nonzeros, 4);
  EXPECT_EQ(found[2].name, "b.weight_mask");
  EXPECT_EQ(found[2].dtype, "BOOL");
  EXPECT_FALSE(found[2].sparsity.has_value());
}

TEST(WeightInspection, ShowsWhereMatricesAreNotZero) {
  SafetensorsFile file{.tensors = {{"a.weight", Tensor::FromVector<double>({1e-300, 0, -3, 4}, {2, 2})},
                                   {"a.bias", Tensor::FromVector<float>({1, 0}, {2})}},
                       .metadata = {}};
  file.tensors.push_back({"a.weight_mask", Tensor::Full({2, 2}, 1, DType::kBool)});
  file.tensors.back().tensor.mutable_data<bool>()[3] = false;
  int seen = 0;
  InspectTensors(file, "f", [&](const TensorInspection& tensor, const Tensor& nonzero) {
    ++seen;
    EXPECT_EQ(tensor.name, "a.weight");
    EXPECT_EQ(tensor.sparsity, 0.5);
    EXPECT_EQ(nonzero.shape(), (Shape{2, 2}));
    EXPECT_EQ(std::vector<float>(nonzero.data<float>(), nonzero.data<float>() + 4), (std::vector<float>{1, 0, 1, 0}));
  });
  EXPECT_EQ(seen, 1);
}

TEST(WeightInspection, LooksAtElementsOfEveryFloatingDType) {
  constexpr double kTiny = 1e-300;  // Zero as a float.
  const SafetensorsFile file{
      .tensors = {{"f64", Tensor::FromVector<double>({kTiny, 0, kTiny, kTiny}, {1, 4})},
                  {"bf16", Tensor::FromVector<BFloat16>({BFloat16(0.0f), BFloat16(1.0f)}, {2})},
                  {"f32",
                   Tensor::FromVector<float>(
                       {0, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}, {3})},
                  {"empty", Tensor::Zeros({0, 4})},
                  {"f8", Tensor::FromVector<Float8E4M3>(
                             {Float8E4M3(0.0f), Float8E4M3(-0.0f), Float8E4M3(2.0f), Float8E4M3(NAN)}, {1, 4})}},
      .metadata = {},
      .skipped = {{"fp8", "F8_E8M0", {2, 3}}}};
  const std::vector<TensorInspection> found = InspectTensors(file, "f").tensors;
  ASSERT_EQ(found.size(), 6u);
  EXPECT_EQ(found[0].sparsity, 0.25);
  EXPECT_EQ(found[0].first_in_rows->nonzeros, 3);
  EXPECT_EQ(found[1].dtype, "BF16");
  EXPECT_EQ(found[1].sparsity, 0.5);
  EXPECT_THAT(found[1].along_rows, IsEmpty());
  EXPECT_EQ(found[2].not_finite, 2);
  EXPECT_EQ(found[3].sparsity, 0.0);
  EXPECT_EQ(found[4].dtype, "F8_E4M3");
  EXPECT_EQ(found[4].sparsity, 0.5);
  EXPECT_EQ(found[4].not_finite, 1);
  EXPECT_FALSE(found[4].first_in_rows.has_value());
  EXPECT_EQ(found[5].dtype, "F8_E8M0");
  EXPECT_THAT(found[5].shape, ElementsAre(2u, 3u));
  EXPECT_FALSE(found[5].sparsity.has_value());
}

}  // namespace
}  // namespace twofour::train
