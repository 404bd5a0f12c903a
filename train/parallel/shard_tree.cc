#include "twofour/train/parallel/shard_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <numeric>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

int64_t PowerNotBelow(int64_t size) { return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(size))); }

}  // namespace

ShardTree::ShardTree(int64_t shards, int ranks) : shards_(shards), ranks_(ranks) {
  if (shards >= 1 && ranks >= 1 && shards % ranks == 0) return;
  throw Error(fmt::format("{} shards for {} ranks, expected a multiple of the number of ranks", shards, ranks));
}

bool ShardTree::Joins(int64_t begin, int64_t middle, int64_t end) const {
  const int64_t power = PowerNotBelow(end - begin);
  return begin % power == 0 && std::min(begin + power, shards_) == end && begin + power / 2 == middle;
}

std::vector<ShardTree::Join> ShardTree::JoinsOf(int rank) const {
  std::vector<int> owners(static_cast<size_t>(ranks_));
  std::iota(owners.begin(), owners.end(), 0);
  std::vector<Join> joins;
  AddJoins(rank, 0, shards_, owners, joins);
  return joins;
}

void ShardTree::AddJoins(int rank, int64_t begin, int64_t end, const std::vector<int>& places,
                         std::vector<Join>& joins) const {
  const int first = RankOf(begin), last = RankOf(end - 1);
  if (first == last || rank < first || rank > last) return;
  Join join{.begin = begin, .middle = begin + PowerNotBelow(end - begin) / 2, .left = {}, .right = {}, .sum = places};
  for (const int place : places) {
    join.left.push_back(PlaceOfChild(begin, join.middle, join.middle, place));
    join.right.push_back(PlaceOfChild(join.middle, end, begin, place));
  }
  AddJoins(rank, begin, join.middle, join.left, joins);
  AddJoins(rank, join.middle, end, join.right, joins);
  joins.push_back(std::move(join));
}

int ShardTree::PlaceOfChild(int64_t begin, int64_t end, int64_t other_begin, int place) const {
  const int first = RankOf(begin), last = RankOf(end - 1);
  if (place >= first && place <= last) return place;
  return first + (place - RankOf(other_begin)) % (last - first + 1);
}

void CheckShards(int64_t shards, int64_t micro_batches, const std::string& path, Faults& faults) {
  faults.Expect(shards >= 1 && micro_batches % std::max<int64_t>(shards, 1) == 0, path, shards,
                fmt::format("a number that divides the {} micro-batches of a step", micro_batches));
}

}  // namespace twofour::train
