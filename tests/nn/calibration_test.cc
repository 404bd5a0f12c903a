#include "twofour/nn/calibration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/ops.h"
#include "twofour/nn/mlp_stack.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;
using test::RandomF32;

class CalibrationTest : public ::testing::Test {
 protected:
  CalibrationTest()
      : model_({.in_features = 5, .hidden_features = {6}, .out_features = 3, .dropout = 0.5}, generator_) {}

  Tensor Loss(int64_t batch) {
    const Tensor y = model_.Forward(RandomF32({4, 5}, {.seed = 7, .stream = static_cast<uint32_t>(batch)}));
    return Mean(Mul(y, y));
  }
  Calibration Data() {
    return {.batches = 3, .loss = [this](int64_t batch) { return Loss(batch); }};
  }

  Generator generator_{1};
  MlpStack model_;
};

TEST_F(CalibrationTest, MeanLossIsWithoutDropoutAndWithoutAGraph) {
  model_.SetTraining(false);
  const double expected = (Loss(0).item() + Loss(1).item() + Loss(2).item()) / 3;
  model_.SetTraining(true);
  EXPECT_EQ(MeanLoss(model_, Data(), {}), expected);
  EXPECT_TRUE(model_.training());
  int asked = 0;
  EXPECT_FALSE(MeanLoss(model_, Data(), [&] { return ++asked == 3; }));
}

TEST_F(CalibrationTest, MeanLossRefusesALossThatIsNotFiniteAndNoData) {
  const Calibration data{.batches = 2, .loss = [](int64_t batch) {
                           return Tensor::FromVector<float>(
                               {batch == 1 ? std::numeric_limits<float>::infinity() : 1.0f}, {});
                         }};
  EXPECT_ERROR(MeanLoss(model_, data, {}), ErrorKind::kRuntimeFailure,
               "the loss of batch 1 of the calibration data is inf");
  EXPECT_ERROR(MeanLoss(model_, {}, {}), ErrorKind::kInvalidInput, "MeanLoss: batches is 0, expected at least 1");
}

TEST_F(CalibrationTest, EachVisitSeesTheGradientsOfItsBatchAlone) {
  std::vector<Tensor> seen;
  const Tensor weight = model_.Parameters().front();
  EXPECT_TRUE(VisitGradients(model_, Data(), [&] { seen.push_back(weight.grad().Clone()); }, {}));
  EXPECT_FALSE(weight.grad().defined());
  ASSERT_EQ(seen.size(), 3u);
  model_.SetTraining(false);
  for (int64_t batch = 0; batch < 3; ++batch) {
    for (Tensor& parameter : model_.Parameters()) parameter.ZeroGrad();
    Loss(batch).Backward();
    ExpectBitEqual(seen[static_cast<size_t>(batch)], weight.grad());
  }
}

}  // namespace
}  // namespace twofour::nn
