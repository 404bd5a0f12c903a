#include "twofour/train/parallel/shard_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "twofour/train/parallel/tree_sum.h"

#include "tests/support/expect_error.h"

namespace twofour::train {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

/// The tree as its definition says it, from the top: "((0+1)+2)".
std::string Written(int64_t begin, int64_t end) {
  if (end - begin == 1) return std::to_string(begin);
  int64_t half = 1;
  while (2 * half < end - begin) half *= 2;
  return "(" + Written(begin, begin + half) + "+" + Written(begin + half, end) + ")";
}

/// Adds up shards as a rank does whose shards come one by one, with names for numbers.
struct Piece {
  int64_t begin, end;
  std::string sum;
};
std::vector<Piece> AddUp(const ShardTree& tree, int rank) {
  std::vector<Piece> pieces;
  for (int64_t s = tree.first_shard(rank); s < tree.first_shard(rank + 1); ++s) {
    pieces.push_back({s, s + 1, std::to_string(s)});
    while (pieces.size() > 1 && tree.Joins(pieces[pieces.size() - 2].begin, pieces.back().begin, pieces.back().end)) {
      Piece right = pieces.back();
      pieces.pop_back();
      pieces.back() = {pieces.back().begin, right.end, "(" + pieces.back().sum + "+" + right.sum + ")"};
    }
  }
  return pieces;
}

TEST(ShardTreeTest, OneRankWalksTheTree) {
  for (int64_t shards = 1; shards <= 33; ++shards) {
    const std::vector<Piece> pieces = AddUp(ShardTree(shards, 1), 0);
    ASSERT_THAT(pieces, SizeIs(1)) << shards;
    EXPECT_EQ(pieces[0].sum, Written(0, shards));
  }
}

/// Plays all ranks: what lies where for one owner, and whether every join finds its children.
TEST(ShardTreeTest, RanksContinueTheSameTreeForEveryOwner) {
  for (int64_t shards = 1; shards <= 24; ++shards) {
    for (int ranks = 1; ranks <= shards; ++ranks) {
      if (shards % ranks != 0) continue;
      const ShardTree tree(shards, ranks);
      for (int owner = 0; owner < ranks; ++owner) {
        SCOPED_TRACE(std::to_string(shards) + " shards, " + std::to_string(ranks) + " ranks, owner " +
                     std::to_string(owner));
        std::map<std::pair<int, int64_t>, std::string> at;  // By rank and first shard.
        std::map<int64_t, ShardTree::Join> joins;           // All of them, by the order in which they can be made.
        for (int rank = 0; rank < ranks; ++rank) {
          for (const Piece& piece : AddUp(tree, rank)) at[{rank, piece.begin}] = piece.sum;
        }
        // The joins of all ranks, each once, smaller ones first.
        std::vector<ShardTree::Join> all;
        for (int rank = 0; rank < ranks; ++rank) {
          for (const ShardTree::Join& join : tree.JoinsOf(rank)) {
            const bool known = std::ranges::any_of(
                all, [&](const auto& other) { return other.begin == join.begin && other.middle == join.middle; });
            if (!known) all.push_back(join);
          }
        }
        std::ranges::stable_sort(all, {}, [](const auto& join) { return join.middle - join.begin; });
        const auto o = static_cast<size_t>(owner);
        for (const ShardTree::Join& join : all) {
          EXPECT_TRUE(join.left[o] == join.sum[o] || join.right[o] == join.sum[o]);
          const auto left = at.extract({join.left[o], join.begin}), right = at.extract({join.right[o], join.middle});
          ASSERT_TRUE(left && right);
          at[{join.sum[o], join.begin}] = "(" + left.mapped() + "+" + right.mapped() + ")";
        }
        ASSERT_THAT(at, SizeIs(1));
        EXPECT_EQ(at.begin()->first.first, owner);
        EXPECT_EQ(at.begin()->second, Written(0, shards));
      }
    }
  }
}

TEST(ShardTreeTest, PowersOfTwoHalveRecursively) {
  for (const int ranks : {2, 4, 8, 16, 64}) {
    const ShardTree tree(2 * ranks, ranks);
    for (int rank = 0; rank < ranks; ++rank) {
      const std::vector<ShardTree::Join> joins = tree.JoinsOf(rank);
      EXPECT_EQ(joins.size(), static_cast<size_t>(std::countr_zero(static_cast<unsigned>(ranks))));
      // One partner in each join, and half as many owners each time for which this rank has a part.
      int items = ranks;
      for (const ShardTree::Join& join : joins) {
        int sent = 0, received = 0;
        std::vector<int> partners;
        for (size_t o = 0; o < static_cast<size_t>(ranks); ++o) {
          const int other = join.left[o] == join.sum[o] ? join.right[o] : join.left[o];
          if (other == rank) partners.push_back(join.sum[o]), ++sent;
          if (join.sum[o] == rank) partners.push_back(other), ++received;
        }
        EXPECT_EQ(std::ranges::count(partners, partners.front()), std::ssize(partners));
        EXPECT_EQ(sent, items / 2);
        EXPECT_EQ(received, items / 2);
        items /= 2;
      }
    }
  }
}

TEST(ShardTreeTest, RanksMustDivideShards) {
  EXPECT_ERROR(ShardTree(6, 4), ErrorKind::kInvalidInput, HasSubstr("6 shards for 4 ranks, expected a multiple"));
  EXPECT_ERROR(ShardTree(0, 1), ErrorKind::kInvalidInput, HasSubstr("0 shards"));
}

TEST(TreeSumTest, FollowsTheTree) {
  // 1e100 swallows what is added to it before it is taken away again.
  const std::vector<std::vector<double>> shards{{1e100, 1}, {1, 2}, {-1e100, 3}, {1, 4}, {5, 5}};
  const std::vector<double> sum = TreeSum(ShardTree(5, 1), shards);
  EXPECT_EQ(sum, (std::vector<double>{((1e100 + 1) + (-1e100 + 1)) + 5, 15}));
}

}  // namespace
}  // namespace twofour::train
