#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "twofour/comm/communicator.h"
#include "twofour/train/parallel/shard_tree.h"

namespace twofour::train {

/// Copies what each rank owns to all others: the reverse of adding up. Ranks pass on what they have got along a binary
/// tree over their numbers, so that each sends about as much (recursive doubling, where their number is a power of
/// two).
class OwnerBroadcast {
 public:
  static constexpr int64_t kBucketBytes = int64_t{1} << 23;

  /// Bytes that `owner` has. The other ranks have room for as many there.
  struct Item {
    int owner = 0;
    std::span<std::byte> bytes;
  };

  /// Items are sent in buckets of so many bytes (BucketsOf).
  explicit OwnerBroadcast(comm::Communicator& ranks, int64_t bucket_bytes = kBucketBytes);
  /// All ranks must give items of the same owners and sizes.
  void Share(std::span<const Item> items);

 private:
  /// The same for items that are few enough to be sent at once.
  void ShareBucket(std::span<const Item> items);

  comm::Communicator& ranks_;
  int64_t bucket_bytes_;
  std::vector<ShardTree::Join> joins_;  // Parents before children.
};

}  // namespace twofour::train
