#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "twofour/comm/communicator.h"
#include "twofour/core/tensor.h"
#include "twofour/train/parallel/shard_tree.h"

namespace twofour::train {

/// Adds up what shards have computed, item by item, along the ShardTree: first what lies on this rank, as it comes,
/// then across ranks. An item is a tensor, such as the gradient of one parameter. Two are added element by element, and
/// one that a shard lacks does not count. So sums have the same bits on any number of ranks.
///
/// Different threads may add and join different items at once, but only one at a time may join.
class ShardSums {
 public:
  struct Item {
    int owner = 0;     ///< The rank that needs the sum.
    int64_t size = 0;  ///< Elements.
  };

  /// Of tensors of one dtype, f32 or f64.
  ShardSums(comm::Communicator& ranks, std::shared_ptr<const ShardTree> tree, DType dtype, std::vector<Item> items);

  size_t items() const { return items_.size(); }
  const Item& item(size_t index) const { return items_[index]; }
  /// For an item of which nothing has been added yet.
  void SetSize(size_t item, int64_t size) { items_[item].size = size; }
  /// Takes what a shard of this rank has. The shards of an item come in their order. An undefined tensor stands for
  /// nothing.
  void Add(size_t item, int64_t shard, Tensor value);
  /// Adds these items up across ranks. All ranks must have added all their shards, and join the same items.
  void Join(std::span<const size_t> items);
  /// The sum, as one row, on the owner; undefined elsewhere, and where no shard had anything. Leaves nothing behind.
  Tensor Take(size_t item);

 private:
  /// The sum of the shards [begin, end).
  struct Piece {
    int64_t begin = 0, end = 0;
    Tensor value;
  };
  /// What one rank sends another in a join, or gets from it: the elements of these items' pieces, one after the other,
  /// then a byte for each that says whether there is anything.
  struct Message {
    int rank = 0;
    int64_t begin = 0;  ///< Where the pieces begin.
    std::vector<size_t> items;
    std::vector<std::byte> bytes;
  };

  int64_t BytesOf(size_t item) const;
  /// Adds an item to the message for or from this rank.
  void AddTo(std::vector<Message>& messages, int rank, int64_t begin, size_t item) const;
  void Pack(Message& message);
  void Unpack(const Message& message);
  /// Adds the piece behind the one that begins at `begin` to it.
  void JoinPieces(size_t item, int64_t begin);

  comm::Communicator& ranks_;
  std::shared_ptr<const ShardTree> tree_;
  std::vector<ShardTree::Join> joins_;
  DType dtype_;
  std::vector<Item> items_;
  std::vector<std::vector<Piece>> pieces_;  // For each item, in the order of shards.
};

}  // namespace twofour::train
