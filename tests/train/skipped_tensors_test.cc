#include "twofour/train/skipped_tensors.h"

#include <gtest/gtest.h>

#include <vector>

#include "twofour/nn/mlp_stack.h"

#include "tests/support/expect_error.h"

namespace twofour::train {
namespace {

TEST(SkippedTensorsTest, EachNeededTensorHasALine) {
  Generator generator(1);
  nn::MlpStack model({.in_features = 2, .hidden_features = {}, .out_features = 1}, generator);
  const std::vector<SkippedTensor> skipped = {
      {"layers.0.weight", "F16", {1, 2}}, {"layers.1.weight", "F16", {1, 2}}, {"layers.0.bias", "U8", {1}}};
  EXPECT_ERROR(RequireNoneNeeded(skipped, model, "m"), ErrorKind::kInvalidInput,
               "m: tensor 'layers.0.weight': dtype F16 [1, 2], the model expects f32 [1, 2]\n"
               "m: tensor 'layers.0.bias': dtype U8 [1], the model expects f32 [1]");
}

}  // namespace
}  // namespace twofour::train
