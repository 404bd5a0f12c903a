#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "twofour/core/faults.h"

namespace twofour::train {

/// The order in which what the shards of a step have computed is added up: a binary tree over the shards' numbers. It
/// depends on the number of shards alone, so a sum has the same bits for any number of ranks that share the work. Each
/// rank computes shards that follow one another, so most of the tree lies within ranks.
///
/// A node stands for the shards [begin, end), where `begin` is a multiple of the smallest power of two that is not less
/// than the node's size. Its children meet at `begin` plus half that power. So shards that come one by one can be added
/// up with as many intermediate sums as the tree is high, as a binary counter counts.
class ShardTree {
 public:
  /// Throws Error unless `ranks` divides `shards`.
  ShardTree(int64_t shards, int ranks);

  int64_t shards() const { return shards_; }
  int ranks() const { return ranks_; }
  int64_t shards_per_rank() const { return shards_ / ranks_; }
  int64_t first_shard(int rank) const { return rank * shards_per_rank(); }
  int RankOf(int64_t shard) const { return static_cast<int>(shard / shards_per_rank()); }

  /// Whether [begin, middle) and [middle, end) are the children of a node.
  bool Joins(int64_t begin, int64_t middle, int64_t end) const;

  /// A node whose shards are on several ranks, and where its children and its sum lie. That depends on the rank that
  /// needs the result, its owner: [i] is for owner i. One of the two children always lies where the sum does.
  struct Join {
    int64_t begin = 0, middle = 0;  ///< The first shards of the children.
    std::vector<int> left, right, sum;
  };
  /// The nodes in which a rank may take part, children before parents. If the number of ranks is a power of two, they
  /// are log2(ranks), and in each the rank has one partner: it sends what the partner and the ranks beyond it own, and
  /// receives the rest (recursive halving).
  std::vector<Join> JoinsOf(int rank) const;

 private:
  void AddJoins(int rank, int64_t begin, int64_t end, const std::vector<int>& places, std::vector<Join>& joins) const;
  /// Where the child [begin, end) of a node lies, if the node's sum lies at `place`. `other_begin` is the first shard
  /// of the child's sibling.
  int PlaceOfChild(int64_t begin, int64_t end, int64_t other_begin, int place) const;

  int64_t shards_;
  int ranks_;
};

/// Whether the last two of `pieces`, each with a `begin` and an `end`, are the children of a node: then they are added
/// before another piece comes.
template <typename Piece>
bool JoinsLastTwo(const ShardTree& tree, const std::vector<Piece>& pieces) {
  if (pieces.size() < 2) return false;
  return tree.Joins(pieces[pieces.size() - 2].begin, pieces.back().begin, pieces.back().end);
}

/// The rule for the shards of a step of so many micro-batches: they divide these.
void CheckShards(int64_t shards, int64_t micro_batches, const std::string& path, Faults& faults);

}  // namespace twofour::train
