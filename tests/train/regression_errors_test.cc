#include "twofour/train/regression_errors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "twofour/core/error.h"

#include "tests/support/tensors.h"

namespace twofour::train {
namespace {

using test::F32;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(RegressionErrorsTest, KnownValues) {
  // scikit-learn: y_true = [[3, -1], [5, 2], [7, 8]], y_pred = [[2, 0], [5, 1], [9, 8]].
  RegressionErrors errors({1, 10});
  errors.Add(F32({2, 0, 5, 1}, {2, 2}), F32({3, -1, 5, 2}, {2, 2}));
  errors.Add(F32({9, 8}, {1, 2}), F32({7, 8}, {1, 2}));
  EXPECT_EQ(errors.total(), 3);
  EXPECT_NEAR(errors.Rmse(0), std::sqrt(5.0 / 3), 1e-12);
  EXPECT_NEAR(errors.Mae(0), 1.0, 1e-12);
  EXPECT_NEAR(*errors.R2(0), 0.375, 1e-12);
  EXPECT_NEAR(errors.Rmse(1), 10 * std::sqrt(2.0 / 3), 1e-12);
  EXPECT_NEAR(errors.Mae(1), 10 * 2.0 / 3, 1e-12);
  EXPECT_NEAR(*errors.R2(1), 1 - 2.0 / 42, 1e-12);
  EXPECT_NEAR(*errors.MeanR2(), (0.375 + 1 - 2.0 / 42) / 2, 1e-12);
}

TEST(RegressionErrorsTest, KeepsItsDigitsFarFromZero) {
  // Targets that differ by little from a large mean.
  RegressionErrors errors({1});
  std::vector<float> targets, predictions;
  double squares = 0;
  for (int i = 0; i < 1000; ++i) {
    targets.push_back(static_cast<float>(65536 + i % 2));
    predictions.push_back(65536.25F);
    squares += std::pow(targets.back() - predictions.back(), 2);
  }
  errors.Add(F32(predictions, {1000, 1}), F32(targets, {1000, 1}));
  EXPECT_NEAR(errors.Rmse(0), std::sqrt(squares / 1000), 1e-9);
  EXPECT_NEAR(*errors.R2(0), 1 - squares / 250, 1e-9);
}

TEST(RegressionErrorsTest, ATargetThatNeverChangesHasNoR2) {
  RegressionErrors errors({1, 1});
  errors.Add(F32({1, 2, 1, 4}, {2, 2}), F32({1, 2, 1, 3}, {2, 2}));
  EXPECT_FALSE(errors.R2(0));
  EXPECT_EQ(*errors.MeanR2(), *errors.R2(1));
  RegressionErrors constant({1});
  constant.Add(F32({1}, {1, 1}), F32({2}, {1, 1}));
  EXPECT_FALSE(constant.MeanR2());
}

TEST(RegressionErrorsTest, RefusesOtherShapes) {
  RegressionErrors errors({1, 1});
  EXPECT_THAT(
      [&] {
        errors.Add(F32({1, 2}, {2, 1}), F32({1, 2}, {2, 1}));
      },
      ThrowsMessage<Error>(HasSubstr("expected [batch, 2] for both")));
  EXPECT_THAT(
      [&] {
        errors.Add(F32({1, 2}, {2}), F32({1, 2}, {1, 2}));
      },
      ThrowsMessage<Error>(HasSubstr("expected [batch, 2] for both")));
  EXPECT_THAT([] { RegressionErrors none({}); }, ThrowsMessage<Error>(HasSubstr("no targets")));
}

}  // namespace
}  // namespace twofour::train
