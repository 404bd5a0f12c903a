#include "twofour/train/data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/core/error.h"
#include "twofour/core/parallel.h"

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

Tensor Labels(const std::vector<int32_t>& labels) {
  return Tensor::FromVector(labels, {static_cast<int64_t>(labels.size())});
}

InMemoryDataset ThreeSamples() {
  return {Tensor::FromVector(std::vector<float>{0, 1, 10, 11, 20, 21}, {3, 2}), Labels({2, 0, 1}), 3};
}

TEST(InMemoryDatasetTest, KnowsItsSizes) {
  const InMemoryDataset dataset = ThreeSamples();
  EXPECT_EQ(dataset.size(), 3);
  EXPECT_EQ(dataset.features(), 2);
  EXPECT_EQ(dataset.num_classes(), 3);
}

TEST(InMemoryDatasetTest, GathersRowsInTheOrderAskedFor) {
  const Batch batch = ThreeSamples().Get(std::vector<int64_t>{2, 0, 2});
  EXPECT_EQ(batch.inputs.shape(), (Shape{3, 2}));
  EXPECT_EQ(batch.inputs.dtype(), DType::kF32);
  EXPECT_EQ(batch.targets.dtype(), DType::kI32);
  EXPECT_THAT(batch.inputs.ToVector(), ElementsAre(20, 21, 0, 1, 20, 21));
  EXPECT_THAT(batch.targets.ToVector(), ElementsAre(1, 2, 1));
}

TEST(InMemoryDatasetTest, GathersNothing) { EXPECT_EQ(ThreeSamples().Get({}).inputs.shape(), (Shape{0, 2})); }

TEST(InMemoryDatasetTest, GathersManyRowsOnManyThreads) {
  constexpr int64_t kRows = 5000, kCols = 64;
  std::vector<float> values(kRows * kCols);
  std::vector<int32_t> labels(kRows);
  std::vector<int64_t> backwards(kRows);
  for (int64_t i = 0; i < kRows; ++i) {
    labels[i] = static_cast<int32_t>(i);
    backwards[i] = kRows - 1 - i;
    for (int64_t j = 0; j < kCols; ++j) values[i * kCols + j] = static_cast<float>(i * kCols + j);
  }
  const InMemoryDataset dataset(Tensor::FromVector(values, {kRows, kCols}), Labels(labels), kRows);
  SetNumThreads(3);
  const Batch batch = dataset.Get(backwards);
  SetNumThreads(0);
  for (int64_t i = 0; i < kRows; ++i) {
    ASSERT_EQ(batch.targets.data<int32_t>()[i], backwards[i]);
    ASSERT_EQ(batch.inputs.data<float>()[i * kCols], static_cast<float>(backwards[i] * kCols));
    ASSERT_EQ(batch.inputs.data<float>()[i * kCols + kCols - 1], static_cast<float>(backwards[i] * kCols + kCols - 1));
  }
}

TEST(InMemoryDatasetTest, RefusesIndicesOutside) {
  const InMemoryDataset dataset = ThreeSamples();
  EXPECT_THAT(
      [&] {
        dataset.Get(std::vector<int64_t>{0, 3});
      },
      ThrowsMessage<Error>("dataset: no sample 3, there are 3"));
  EXPECT_THAT([&] { dataset.Get(std::vector<int64_t>{-1}); },
              ThrowsMessage<Error>("dataset: no sample -1, there are 3"));
}

TEST(InMemoryDatasetTest, RefusesLabelsOutside) {
  const Tensor inputs = Tensor::Zeros({2, 1});
  EXPECT_THAT(
      [&] {
        InMemoryDataset(inputs, Labels({0, 3}), 3);
      },
      ThrowsMessage<Error>("dataset: sample 1 has label 3, expected 0 to 2"));
  EXPECT_THAT([&] { InMemoryDataset(inputs, Labels({-1, 0}), 3); }, ThrowsMessage<Error>(HasSubstr("label -1")));
}

TEST(InMemoryDatasetTest, RefusesOtherShapesAndTypes) {
  EXPECT_THAT(
      [] {
        InMemoryDataset(Tensor::Zeros({2}), Labels({0, 0}), 1);
      },
      ThrowsMessage<Error>("dataset: inputs are f32 [2], expected f32 [samples, features]"));
  EXPECT_THAT(
      [] {
        InMemoryDataset(Tensor::Zeros({2, 1}, DType::kF64), Labels({0, 0}), 1);
      },
      ThrowsMessage<Error>(HasSubstr("inputs are f64")));
  EXPECT_THAT(
      [] {
        InMemoryDataset(Tensor::Zeros({2, 1}), Labels({0}), 1);
      },
      ThrowsMessage<Error>("dataset: labels are i32 [1], expected i32 [2]"));
  EXPECT_THAT(
      [] {
        InMemoryDataset(Tensor::Zeros({2, 1}), Tensor::Zeros({2}), 1);
      },
      ThrowsMessage<Error>(HasSubstr("labels are f32")));
}

/// Makes labels on request.
class Remainders : public Dataset {
 public:
  int64_t size() const override { return 1000; }
  int64_t features() const override { return 1; }
  int64_t num_classes() const override { return 7; }
  Batch Get(std::span<const int64_t> indices) const override {
    std::vector<int32_t> labels;
    for (const int64_t index : indices) labels.push_back(static_cast<int32_t>(index % 7));
    const auto count = static_cast<int64_t>(indices.size());
    return {Tensor::Zeros({count, 1}), Tensor::FromVector(labels, {count})};
  }
};

TEST(DatasetTest, CountsTheSamplesOfEachClass) {
  EXPECT_EQ(Remainders().ClassCounts(), (std::vector<int64_t>{143, 143, 143, 143, 143, 143, 142}));
  const InMemoryDataset dataset(Tensor::Zeros({4, 1}), Tensor::FromVector<int32_t>({2, 0, 2, 2}, {4}), 4);
  EXPECT_EQ(dataset.ClassCounts(), (std::vector<int64_t>{1, 0, 3, 0}));
}

}  // namespace
}  // namespace twofour::train
