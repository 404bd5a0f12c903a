// Training with activations of bf16.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/ops/arithmetic.h"
#include "twofour/nn/mlp_stack.h"
#include "twofour/optim/sgd.h"
#include "twofour/train/classification.h"
#include "twofour/train/trainer.h"

#include "tests/support/expect_error.h"
#include "tests/train/classification_job.h"

namespace twofour::train {
namespace {

using test::MakeData;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

/// A small MLP and its trainer.
class StackJob {
 public:
  explicit StackJob(DType activations, float scale_of_inputs = 1) : data_(Scaled(scale_of_inputs)) {
    model_.SetActivationDType(activations);
  }

  nn::MlpStack& model() { return model_; }
  Trainer& trainer() { return trainer_; }

  void Fill(const std::string& name, float value) {
    for (NamedTensor& parameter : model_.NamedParameters()) {
      if (parameter.name == name) parameter.tensor.Fill(static_cast<double>(value));
    }
  }

 private:
  static InMemoryDataset Scaled(float scale) {
    const Batch all = MakeData(kSamples, 1).Get(Sequence());
    return {Scale(all.inputs, static_cast<double>(scale)), all.targets, 4};
  }

  static std::vector<int64_t> Sequence() {
    std::vector<int64_t> indices(kSamples);
    std::iota(indices.begin(), indices.end(), 0);
    return indices;
  }

  static constexpr int64_t kSamples = 40;
  Generator generator_{5};
  InMemoryDataset data_;
  nn::MlpStack model_{
      {.in_features = 16, .hidden_features = {32}, .out_features = 4, .activation = nn::Activation::kRelu}, generator_};
  optim::Sgd optimizer_{model_.Parameters(), {.lr = 1e-2}};
  ClassificationTask task_{model_, data_, data_, {.batch_size = 20}};
  Trainer trainer_{task_, optimizer_, optim::ConstantLr(1e-2), TrainerOptions{.steps = 3}, {}};
};

class OverflowTest : public ::testing::TestWithParam<DType> {};

TEST_P(OverflowTest, OfALossNamesStepAndParameter) {
  StackJob job(GetParam());
  ASSERT_TRUE(job.trainer().Run());
  StackJob broken(GetParam());
  broken.Fill("layers.1.weight", 3e38f);
  broken.Fill("layers.0.bias", 10);
  EXPECT_ERROR(broken.trainer().Run(), ErrorKind::kRuntimeFailure,
               AllOf(ContainsRegex("^step 1: the loss is -?(nan|inf); "),
                     HasSubstr("all parameters are finite, the largest is in 'layers.1.weight': 3e+38")));
}

TEST_P(OverflowTest, OfAGradientNamesStepAndParameter) {
  // Hidden activations are so small, and the head's weights so large, that logits are about ten. The gradient of a
  // hidden activation is about 1e35 then, and inputs are 1e6.
  StackJob job(GetParam(), 1e6f);
  job.Fill("layers.0.weight", 0);
  job.Fill("layers.0.bias", 4e-38f);
  job.Fill("layers.1.weight", 0);
  for (NamedTensor& parameter : job.model().NamedParameters()) {
    if (parameter.name != "layers.1.weight") continue;
    std::fill_n(parameter.tensor.mutable_data<float>(), 32, 1e37f);
  }
  EXPECT_ERROR(job.trainer().Run(), ErrorKind::kRuntimeFailure,
               ContainsRegex("^step 1: the gradient's norm is (nan|inf); the gradient of 'layers.0.weight' holds "
                             "-?(nan|inf) at element [0-9]+"));
}

INSTANTIATE_TEST_SUITE_P(Precisions, OverflowTest, ::testing::Values(DType::kF32, DType::kBF16),
                         [](const auto& instance) { return std::string(NameOf(instance.param)); });

TEST(Bf16OverflowTest, OfAWeightThatF32HoldsNamesIt) {
  // The largest float becomes infinity when it is rounded to bf16, and infinity times 0 is no number.
  StackJob job(DType::kBF16, 0);
  job.Fill("layers.0.weight", std::numeric_limits<float>::max());
  EXPECT_ERROR(job.trainer().Run(), ErrorKind::kRuntimeFailure,
               AllOf(ContainsRegex("^step 1: the loss is -?nan; "),
                     HasSubstr("all parameters are finite, the largest is in 'layers.0.weight': 3.4028235e+38")));
  StackJob wide(DType::kF32, 0);
  wide.Fill("layers.0.weight", std::numeric_limits<float>::max());
  EXPECT_TRUE(wide.trainer().Run());
}

}  // namespace
}  // namespace twofour::train
