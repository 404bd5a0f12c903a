#include "twofour/train/data/bpe/pair_merges.h"

#include <fmt/format.h>

#include <functional>
#include <queue>
#include <tuple>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

uint64_t KeyOf(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

/// A token of a piece, in a list that merges make shorter.
struct Part {
  int32_t token = 0;
  int64_t before = -1, after = -1;  // Places of its neighbours; -1: none.
  bool gone = false;
};

/// A merge that may be made: (rank, place of the left token, the two tokens that it was found with).
using Candidate = std::tuple<int32_t, int64_t, int32_t, int32_t>;

}  // namespace

PairMerges::PairMerges(std::vector<int32_t> byte_tokens, std::vector<PairMerge> merges)
    : byte_tokens_(std::move(byte_tokens)), merges_(std::move(merges)) {
  for (size_t rank = 0; rank < merges_.size(); ++rank) {
    ranks_.try_emplace(KeyOf(merges_[rank].left, merges_[rank].right), static_cast<int32_t>(rank));
  }
}

std::optional<int32_t> PairMerges::RankOf(int32_t left, int32_t right) const {
  const auto found = ranks_.find(KeyOf(left, right));
  if (found == ranks_.end()) return std::nullopt;
  return found->second;
}

void PairMerges::Encode(std::string_view piece, std::vector<int32_t>& tokens) const {
  if (piece.size() > kMaxPieceBytes) {
    throw Error(
        fmt::format("{} bytes of text in one piece, which the tokenizer's pattern does not split, expected at "
                    "most {}",
                    piece.size(), kMaxPieceBytes));
  }
  std::vector<Part> parts(piece.size());
  const auto count = static_cast<int64_t>(parts.size());
  for (int64_t i = 0; i < count; ++i) {
    const auto byte = static_cast<unsigned char>(piece[static_cast<size_t>(i)]);
    parts[i] = {.token = byte_tokens_[byte], .before = i - 1, .after = i + 1 < count ? i + 1 : -1};
  }
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates;
  const auto consider = [&](int64_t left) {
    if (left < 0 || parts[left].after < 0) return;
    const int32_t first = parts[left].token, second = parts[parts[left].after].token;
    if (const auto rank = RankOf(first, second)) candidates.emplace(*rank, left, first, second);
  };
  for (int64_t i = 0; i + 1 < count; ++i) consider(i);
  while (!candidates.empty()) {
    const auto [rank, place, first, second] = candidates.top();
    candidates.pop();
    Part& left = parts[place];
    // Merges around it may have changed the pair since it was found.
    if (left.gone || left.token != first || left.after < 0 || parts[left.after].token != second) continue;
    Part& right = parts[left.after];
    left.token = merges_[static_cast<size_t>(rank)].result;
    left.after = right.after;
    right.gone = true;
    if (left.after >= 0) parts[left.after].before = place;
    consider(left.before);
    consider(place);
  }
  for (const Part& part : parts) {
    if (!part.gone) tokens.push_back(part.token);
  }
}

}  // namespace twofour::train
