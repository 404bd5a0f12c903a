#include "twofour/train/data/shuffle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(RandomPermutationTest, HoldsEveryNumberOnce) {
  for (int64_t size : {0, 1, 2, 17, 1000}) {
    std::vector<int64_t> order = RandomPermutation(size, {1, 2, 3});
    std::sort(order.begin(), order.end());
    ASSERT_EQ(static_cast<int64_t>(order.size()), size);
    for (int64_t i = 0; i < size; ++i) EXPECT_EQ(order[i], i);
  }
}

TEST(RandomPermutationTest, AllOrdersAreEquallyLikely) {
  std::map<std::vector<int64_t>, int> counts;
  constexpr uint64_t kDraws = 6000;
  for (uint64_t step = 0; step < kDraws; ++step) ++counts[RandomPermutation(3, {1, 2, step})];
  ASSERT_EQ(counts.size(), 6u);
  for (const auto& [order, count] : counts) EXPECT_NEAR(count, 1000, 150);  // Five standard deviations.
}

TEST(RandomPermutationTest, RefusesSizesOutside) {
  EXPECT_THAT([] { RandomPermutation(-1, {}); }, ThrowsMessage<Error>(HasSubstr("cannot shuffle -1 samples")));
  EXPECT_THROW(RandomPermutation(int64_t{1} << 32, {}), Error);
}

TEST(EpochSamplerTest, EveryEpochVisitsDistinctSamples) {
  EpochSampler sampler(103, 10, 5, true);
  ASSERT_EQ(sampler.batches_per_epoch(), 10);
  for (uint64_t epoch = 0; epoch < 3; ++epoch) {
    std::vector<int64_t> seen;
    for (uint64_t batch = 0; batch < 10; ++batch) {
      const std::vector<int64_t> indices = sampler.BatchIndices(epoch * 10 + batch);
      ASSERT_EQ(indices.size(), 10u);
      seen.insert(seen.end(), indices.begin(), indices.end());
    }
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end());
    EXPECT_GE(seen.front(), 0);
    EXPECT_LT(seen.back(), 103);
  }
}

TEST(EpochSamplerTest, EpochsAndSeedsDiffer) {
  EpochSampler sampler(100, 100, 5, true), other_seed(100, 100, 6, true);
  EXPECT_NE(sampler.BatchIndices(0), sampler.BatchIndices(1));
  EXPECT_NE(sampler.BatchIndices(0), other_seed.BatchIndices(0));
}

TEST(EpochSamplerTest, ARunResumedAnywhereSeesTheSameBatches) {
  constexpr uint64_t kBatches = 25;
  EpochSampler uninterrupted(50, 7, 9, true);
  std::vector<std::vector<int64_t>> expected;
  for (uint64_t batch = 0; batch < kBatches; ++batch) expected.push_back(uninterrupted.BatchIndices(batch));
  for (uint64_t start = 0; start < kBatches; ++start) {
    EpochSampler resumed(50, 7, 9, true);
    for (uint64_t batch = start; batch < kBatches; ++batch) ASSERT_EQ(resumed.BatchIndices(batch), expected[batch]);
  }
  for (uint64_t batch = kBatches; batch-- > 0;) EXPECT_EQ(uninterrupted.BatchIndices(batch), expected[batch]);
}

TEST(EpochSamplerTest, WithoutShufflingGoesThroughTheDataInOrder) {
  EpochSampler sampler(5, 2, 1, false);
  EXPECT_THAT(sampler.BatchIndices(0), ElementsAre(0, 1));
  EXPECT_THAT(sampler.BatchIndices(1), ElementsAre(2, 3));
  EXPECT_THAT(sampler.BatchIndices(2), ElementsAre(0, 1));
}

TEST(EpochSamplerTest, TakesTheLargestBatchNumber) {
  EpochSampler sampler(5, 2, 1, true);
  EXPECT_EQ(sampler.BatchIndices(~uint64_t{0}).size(), 2u);
}

TEST(EpochSamplerTest, RefusesBatchesThatDoNotFit) {
  EXPECT_THAT([] { EpochSampler(10, 11, 1, true); },
              ThrowsMessage<Error>("batch_size: got 11, expected 1 to 10, the number of training samples"));
  EXPECT_THROW(EpochSampler(10, 0, 1, true), Error);
  EXPECT_THROW(EpochSampler(10, -3, 1, false), Error);
  EXPECT_THROW(EpochSampler(0, 1, 1, false), Error);
}

}  // namespace
}  // namespace twofour::train
