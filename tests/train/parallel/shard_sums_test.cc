#include "twofour/train/parallel/shard_sums.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <numeric>
#include <span>
#include <vector>

#include "twofour/comm/thread_network.h"
#include "twofour/core/random.h"

namespace twofour::train {
namespace {

constexpr int64_t kElements = 37;
constexpr size_t kItems = 5;

/// What a shard has of an item: the same wherever it is computed. Some have nothing.
Tensor ValueOf(size_t item, int64_t shard) {
  if ((item + static_cast<size_t>(shard)) % 7 == 3) return {};
  Tensor value = Tensor::Empty({kElements});
  FillNormal(value, 0, 1, {.seed = 7, .stream = static_cast<uint32_t>(item), .step = static_cast<uint64_t>(shard)});
  return value;
}

/// From the top of the tree, element by element.
std::vector<float> Expected(size_t item, int64_t begin, int64_t end) {
  if (end - begin == 1) {
    const Tensor value = ValueOf(item, begin);
    return value.defined() ? value.ToVector() : std::vector<float>();
  }
  int64_t half = 1;
  while (2 * half < end - begin) half *= 2;
  std::vector<float> left = Expected(item, begin, begin + half);
  const std::vector<float> right = Expected(item, begin + half, end);
  if (left.empty()) return right;
  for (size_t i = 0; i < right.size(); ++i) left[i] += right[i];
  return left;
}

TEST(ShardSumsTest, TheSameBitsForAnyNumberOfRanks) {
  for (const int64_t shards : {1, 2, 3, 4, 6, 8, 12}) {
    for (int ranks = 1; ranks <= shards; ++ranks) {
      if (shards % ranks != 0) continue;
      SCOPED_TRACE(testing::Message() << shards << " shards, " << ranks << " ranks");
      const auto tree = std::make_shared<const ShardTree>(shards, ranks);
      std::vector<ShardSums::Item> items;
      for (size_t i = 0; i < kItems; ++i) items.push_back({static_cast<int>(i) % ranks, kElements});
      std::atomic<int64_t> bytes = 0;
      comm::ThreadNetwork network(ranks);
      network.Run([&](comm::Communicator& rank) {
        ShardSums sums(rank, tree, DType::kF32, items);
        for (int64_t s = tree->first_shard(rank.rank()); s < tree->first_shard(rank.rank() + 1); ++s) {
          for (size_t i = 0; i < kItems; ++i) sums.Add(i, s, ValueOf(i, s));
        }
        std::vector<size_t> all(kItems);
        std::iota(all.begin(), all.end(), size_t{0});
        sums.Join(std::span(all).first(2));
        sums.Join(std::span(all).subspan(2));
        for (size_t i = 0; i < kItems; ++i) {
          const Tensor sum = sums.Take(i);
          const std::vector<float> expected = Expected(i, 0, shards);
          if (items[i].owner != rank.rank() || expected.empty()) {
            EXPECT_FALSE(sum.defined()) << i;
          } else {
            ASSERT_TRUE(sum.defined()) << i;
            EXPECT_EQ(sum.ToVector(), expected) << i;
          }
        }
        bytes += rank.sent().bytes;
      });
      // Where shards lie so that nodes of the tree are whole ranks, each item travels from all ranks but one.
      const bool aligned = ranks == 1 || (shards / ranks & (shards / ranks - 1)) == 0;
      if (aligned) {
        EXPECT_EQ(bytes, (ranks - 1) * static_cast<int64_t>(kItems) * (4 * kElements + 1));
      }
    }
  }
}

}  // namespace
}  // namespace twofour::train
