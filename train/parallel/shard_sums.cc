#include "twofour/train/parallel/shard_sums.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "twofour/core/kernels/elements/elementwise.h"

namespace twofour::train {
namespace {

template <typename T>
void AddInPlace(Tensor& left, const Tensor& right) {
  T* const sum = left.mutable_data<T>();
  kernels::Add(left.numel(), sum, right.data<T>(), sum);
}

/// Writes to `left`.
Tensor SumOf(Tensor left, const Tensor& right) {
  if (!left.defined()) return right;
  if (!right.defined()) return left;
  if (left.dtype() == DType::kF64) {
    AddInPlace<double>(left, right);
  } else {
    AddInPlace<float>(left, right);
  }
  return left;
}

}  // namespace

ShardSums::ShardSums(comm::Communicator& ranks, std::shared_ptr<const ShardTree> tree, DType dtype,
                     std::vector<Item> items)
    : ranks_(ranks),
      tree_(std::move(tree)),
      joins_(tree_->JoinsOf(ranks.rank())),
      dtype_(dtype),
      items_(std::move(items)),
      pieces_(items_.size()) {}

int64_t ShardSums::BytesOf(size_t item) const {
  return items_[item].size * static_cast<int64_t>(dtype_ == DType::kF64 ? sizeof(double) : sizeof(float));
}

void ShardSums::Add(size_t item, int64_t shard, Tensor value) {
  assert(!value.defined() || (value.numel() == items_[item].size && value.dtype() == dtype_));
  std::vector<Piece>& pieces = pieces_[item];
  assert(pieces.empty() || pieces.back().end == shard);
  pieces.push_back({shard, shard + 1, std::move(value)});
  while (JoinsLastTwo(*tree_, pieces)) JoinPieces(item, pieces[pieces.size() - 2].begin);
}

void ShardSums::JoinPieces(size_t item, int64_t begin) {
  std::vector<Piece>& pieces = pieces_[item];
  const auto left = std::ranges::find(pieces, begin, &Piece::begin);
  assert(left != pieces.end() && left + 1 != pieces.end());
  const auto right = left + 1;
  left->value = SumOf(std::move(left->value), std::move(right->value));
  left->end = right->end;
  pieces.erase(right);
}

void ShardSums::AddTo(std::vector<Message>& messages, int rank, int64_t begin, size_t item) const {
  const auto same = [&](const Message& message) { return message.rank == rank && message.begin == begin; };
  auto found = std::ranges::find_if(messages, same);
  if (found == messages.end()) found = messages.insert(found, {rank, begin, {}, {}});
  found->items.push_back(item);
  found->bytes.resize(found->bytes.size() + static_cast<size_t>(BytesOf(item)) + 1);
}

void ShardSums::Pack(Message& message) {
  std::byte* to = message.bytes.data();
  std::byte* flag = to + message.bytes.size() - message.items.size();
  for (const size_t item : message.items) {
    std::vector<Piece>& pieces = pieces_[item];
    const auto piece = std::ranges::find(pieces, message.begin, &Piece::begin);
    assert(piece != pieces.end());
    if (piece->value.defined()) std::copy_n(piece->value.raw(), BytesOf(item), to);
    *flag++ = std::byte{piece->value.defined()};
    to += BytesOf(item);
    pieces.erase(piece);
  }
}

void ShardSums::Unpack(const Message& message) {
  const std::byte* from = message.bytes.data();
  const std::byte* flag = from + message.bytes.size() - message.items.size();
  for (const size_t item : message.items) {
    Piece piece{message.begin, message.begin + 1, {}};  // Its end does not matter: it is joined at once.
    if (*flag++ != std::byte{0}) {
      piece.value = Tensor::Empty({items_[item].size}, dtype_);
      std::copy_n(from, BytesOf(item), piece.value.mutable_raw());
    }
    from += BytesOf(item);
    std::vector<Piece>& pieces = pieces_[item];
    pieces.insert(std::ranges::lower_bound(pieces, message.begin, {}, &Piece::begin), std::move(piece));
  }
}

void ShardSums::Join(std::span<const size_t> items) {
  const int own = ranks_.rank();
  for (const ShardTree::Join& join : joins_) {
    std::vector<Message> sends, receives;
    std::vector<size_t> joined;
    for (const size_t item : items) {
      // One child lies where the sum will be. The other one travels there, unless it lies there as well.
      const auto owner = static_cast<size_t>(items_[item].owner);
      const int sum = join.sum[owner];
      const bool left_travels = join.left[owner] != sum;
      const int from = left_travels ? join.left[owner] : join.right[owner];
      const int64_t begin = left_travels ? join.begin : join.middle;
      if (from != sum && from == own) AddTo(sends, sum, begin, item);
      if (from != sum && sum == own) AddTo(receives, from, begin, item);
      if (sum == own) joined.push_back(item);
    }
    std::vector<comm::Outgoing> outgoing;
    for (Message& message : sends) {
      Pack(message);
      outgoing.push_back({message.rank, message.bytes});
    }
    std::vector<comm::Incoming> incoming;
    for (Message& message : receives) incoming.push_back({message.rank, message.bytes});
    ranks_.Exchange(outgoing, incoming);
    for (const Message& message : receives) Unpack(message);
    for (const size_t item : joined) JoinPieces(item, join.begin);
  }
}

Tensor ShardSums::Take(size_t item) {
  std::vector<Piece> pieces = std::exchange(pieces_[item], {});
  assert(pieces.size() <= 1);
  return pieces.empty() ? Tensor() : std::move(pieces.front().value);
}

}  // namespace twofour::train
