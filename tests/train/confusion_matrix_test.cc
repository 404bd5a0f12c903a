#include "twofour/train/confusion_matrix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/core/error.h"

#include "tests/support/tensors.h"

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Optional;
using ::testing::ThrowsMessage;

/// Logits whose largest is that of the given class.
Tensor LogitsFor(const std::vector<int>& predicted, int64_t columns) {
  std::vector<float> logits;
  for (const int c : predicted) {
    for (int64_t j = 0; j < columns; ++j) logits.push_back(j == c ? 1.0F : -1.0F);
  }
  return Tensor::FromVector(logits, {static_cast<int64_t>(predicted.size()), columns});
}

TEST(ConfusionMatrixTest, CountsByHand) {
  ConfusionMatrix matrix(3);
  // Class 0: two right, one taken for 1. Class 1: one right. Class 2: one taken for 0.
  matrix.Add(LogitsFor({0, 0, 1}, 3), Tensor::FromVector(std::vector<int32_t>{0, 0, 0}, {3}));
  matrix.Add(LogitsFor({1, 0}, 3), Tensor::FromVector(std::vector<int32_t>{1, 2}, {2}));
  EXPECT_EQ(matrix.total(), 5);
  EXPECT_EQ(matrix.correct(), 3);
  EXPECT_DOUBLE_EQ(matrix.accuracy(), 0.6);
  EXPECT_THAT(matrix.PredictedFor(0), ElementsAre(2, 1, 0));
  EXPECT_THAT(matrix.PredictedFor(1), ElementsAre(0, 1, 0));
  EXPECT_THAT(matrix.PredictedFor(2), ElementsAre(1, 0, 0));
  EXPECT_THAT(matrix.Precision(0), Optional(2.0 / 3));
  EXPECT_THAT(matrix.Recall(0), Optional(2.0 / 3));
  EXPECT_THAT(matrix.Precision(1), Optional(0.5));
  EXPECT_THAT(matrix.Recall(1), Optional(1.0));
  EXPECT_THAT(matrix.F1(1), Optional(2.0 / 3));
  EXPECT_EQ(matrix.Precision(2), std::nullopt);
  EXPECT_THAT(matrix.Recall(2), Optional(0.0));
  EXPECT_THAT(matrix.F1(2), Optional(0.0));
}

TEST(ConfusionMatrixTest, SharesOfNothingAreNothing) {
  ConfusionMatrix matrix(3);
  matrix.Add(LogitsFor({0}, 3), Tensor::FromVector(std::vector<int32_t>{0}, {1}));
  EXPECT_EQ(matrix.SamplesOf(1), 0);
  EXPECT_EQ(matrix.Recall(1), std::nullopt);
  EXPECT_EQ(matrix.F1(1), std::nullopt);
}

TEST(ConfusionMatrixTest, TheFirstOfEqualLogitsCounts) {
  ConfusionMatrix matrix(2);
  matrix.Add(Tensor::Zeros({2, 2}), Tensor::FromVector(std::vector<int32_t>{0, 1}, {2}));
  EXPECT_EQ(matrix.correct(), 1);
  EXPECT_THAT(matrix.PredictedFor(1), ElementsAre(1, 0));
}

TEST(ConfusionMatrixTest, MoreLogitsThanClassesAreTakenForNone) {
  ConfusionMatrix matrix(2);
  matrix.Add(LogitsFor({0, 3, 1}, 4), Tensor::FromVector(std::vector<int32_t>{0, 1, 1}, {3}));
  EXPECT_EQ(matrix.correct(), 2);
  EXPECT_EQ(matrix.total(), 3);
  EXPECT_THAT(matrix.PredictedFor(1), ElementsAre(0, 1));
  EXPECT_THAT(matrix.Recall(1), Optional(0.5));
}

TEST(ConfusionMatrixTest, ManyClassesKeepNoPairs) {
  ConfusionMatrix matrix(ConfusionMatrix::kMostPairs + 1);
  EXPECT_THAT(matrix.PredictedFor(0), IsEmpty());
  EXPECT_EQ(ConfusionMatrix(ConfusionMatrix::kMostPairs).PredictedFor(1).size(), ConfusionMatrix::kMostPairs);
}

TEST(ConfusionMatrixTest, RefusesWhatDoesNotFit) {
  ConfusionMatrix matrix(3);
  const Tensor targets = Tensor::FromVector(std::vector<int32_t>{0, 1}, {2});
  const auto add = [&](const Tensor& logits, const Tensor& of) { return [&, logits, of] { matrix.Add(logits, of); }; };
  EXPECT_THAT(add(LogitsFor({0, 1}, 2), targets), ThrowsMessage<Error>(HasSubstr("expected [batch, 3 or more]")));
  EXPECT_THAT(add(LogitsFor({0}, 3), targets), ThrowsMessage<Error>(HasSubstr("logits [1, 3] and targets [2]")));
  EXPECT_THAT(add(LogitsFor({0}, 3), Tensor::FromVector(std::vector<int32_t>{3}, {1})),
              ThrowsMessage<Error>(HasSubstr("target 3, expected 0 to 2")));
  EXPECT_EQ(matrix.total(), 0);
  EXPECT_THAT([] { ConfusionMatrix(0); }, ThrowsMessage<Error>(HasSubstr("expected at least 1")));
}

}  // namespace
}  // namespace twofour::train
