#include "twofour/train/parallel/owner_broadcast.h"

#include <algorithm>
#include <numeric>

#include "twofour/train/parallel/buckets.h"

namespace twofour::train {
namespace {

/// The items that go to one rank, or come from it.
struct Batch {
  int rank = 0;
  std::vector<std::span<std::byte>> items;
  std::vector<std::byte> bytes;
};

void AddTo(std::vector<Batch>& batches, int rank, std::span<std::byte> item) {
  auto found = std::ranges::find(batches, rank, &Batch::rank);
  if (found == batches.end()) found = batches.insert(found, Batch{rank, {}, {}});
  found->items.push_back(item);
  found->bytes.resize(found->bytes.size() + item.size());
}

void Pack(Batch& batch) {
  auto to = batch.bytes.begin();
  for (const auto item : batch.items) to = std::ranges::copy(item, to).out;
}

void Unpack(const Batch& batch) {
  auto from = batch.bytes.begin();
  for (const auto item : batch.items) {
    std::copy_n(from, item.size(), item.begin());
    from += static_cast<ptrdiff_t>(item.size());
  }
}

}  // namespace

OwnerBroadcast::OwnerBroadcast(comm::Communicator& ranks, int64_t bucket_bytes)
    : ranks_(ranks), bucket_bytes_(bucket_bytes), joins_(ShardTree(ranks.size(), ranks.size()).JoinsOf(ranks.rank())) {
  std::ranges::reverse(joins_);
}

void OwnerBroadcast::Share(std::span<const Item> items) {
  std::vector<size_t> order(items.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::vector<int64_t> sizes;
  for (const Item& item : items) sizes.push_back(static_cast<int64_t>(item.bytes.size()));
  for (const std::vector<size_t>& bucket : BucketsOf(order, sizes, bucket_bytes_)) {
    ShareBucket(items.subspan(bucket.front(), bucket.size()));
  }
}

void OwnerBroadcast::ShareBucket(std::span<const Item> items) {
  for (const ShardTree::Join& join : joins_) {
    std::vector<Batch> sends, receives;
    for (const Item& item : items) {
      const auto owner = static_cast<size_t>(item.owner);
      const int from = join.sum[owner];
      const int to = join.left[owner] == from ? join.right[owner] : join.left[owner];
      if (from == ranks_.rank()) AddTo(sends, to, item.bytes);
      if (to == ranks_.rank()) AddTo(receives, from, item.bytes);
    }
    std::vector<comm::Outgoing> outgoing;
    for (Batch& batch : sends) {
      Pack(batch);
      outgoing.push_back({batch.rank, batch.bytes});
    }
    std::vector<comm::Incoming> incoming;
    for (Batch& batch : receives) incoming.push_back({batch.rank, batch.bytes});
    ranks_.Exchange(outgoing, incoming);
    for (const Batch& batch : receives) Unpack(batch);
  }
}

}  // namespace twofour::train
