#include "twofour/train/exchange/weight_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "twofour/core/error.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::train {
namespace {

using test::ExpectBitEqual;

TEST(EffectiveWeightsTest, MasksAreAppliedAndLeftOut) {
  Tensor kept = Tensor::Zeros({4, 8}, DType::kBool);
  for (int64_t i = 0; i < kept.numel(); i += 3) kept.mutable_data<bool>()[i] = true;
  const Tensor weight = test::RandomF32({4, 8}, {.seed = 1}), bias = test::RandomF32({4}, {.seed = 2});
  const SafetensorsFile file{.tensors = {{"a.weight", weight.To(DType::kBF16)},
                                         {"a.weight_mask", kept},
                                         {"a.weight_mask_age", Tensor::Scalar(0, DType::kI32)},
                                         {"a.bias", bias}},
                             .metadata = {}};
  const std::vector<NamedTensor> weights = EffectiveWeights(file);
  ASSERT_EQ(weights.size(), 2u);
  EXPECT_EQ(weights[0].name, "a.weight");
  EXPECT_EQ(weights[1].name, "a.bias");
  ExpectBitEqual(weights[1].tensor, bias);
  const Tensor rounded = weight.To(DType::kBF16).To(DType::kF32);
  for (int64_t i = 0; i < weight.numel(); ++i) {
    EXPECT_EQ(weights[0].tensor.data<float>()[i], i % 3 == 0 ? rounded.data<float>()[i] : 0.0f) << i;
  }
}

TEST(EffectiveWeightsTest, WhatWouldCountOtherwiseIsRefused) {
  const Tensor weight = Tensor::Zeros({4, 8});
  EXPECT_ERROR(
      EffectiveWeights(
          {.tensors = {{"a.weight", weight}, {"a.weight_mask", Tensor::Zeros({4, 4}, DType::kBool)}}, .metadata = {}}),
      ErrorKind::kInvalidInput, "tensor 'a.weight': f32 [4, 8], but its mask is bool [4, 4]");
  EXPECT_ERROR(
      EffectiveWeights({.tensors = {{"a.weight", weight}, {"a.weight_mask_scale", Tensor::Scalar(2)}}, .metadata = {}}),
      ErrorKind::kInvalidInput,
      "tensor 'a.weight_mask_scale': the weight counts times a scale, which is not supported; export it masked");
}

}  // namespace
}  // namespace twofour::train
