#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace twofour::train {

/// A pair of tokens that becomes one token.
struct PairMerge {
  int32_t left = 0, right = 0, result = 0;
  bool operator==(const PairMerge&) const = default;
};

/// Byte-pair encoding (Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", 2016) of bytes:
/// a piece of text begins as one token for each byte, and then the pair of neighbours that comes first in the list of
/// merges becomes one token, the leftmost where it occurs several times, until no pair is in the list.
class PairMerges {
 public:
  /// `byte_tokens[b]`: the token of byte b. A pair that is in the list twice counts where it comes first.
  PairMerges(std::vector<int32_t> byte_tokens, std::vector<PairMerge> merges);

  /// Longer pieces are refused: a piece takes some 60 bytes of memory for each of its own.
  static constexpr size_t kMaxPieceBytes = size_t{16} << 20;

  /// Appends the tokens of a piece. Takes O(n log n) steps for n bytes. Throws Error on more than kMaxPieceBytes.
  void Encode(std::string_view piece, std::vector<int32_t>& tokens) const;

  const std::vector<int32_t>& byte_tokens() const { return byte_tokens_; }  ///< [256]
  const std::vector<PairMerge>& merges() const { return merges_; }

 private:
  /// The place in the list of merges, which is also its rank; nothing if the pair is not there.
  std::optional<int32_t> RankOf(int32_t left, int32_t right) const;

  std::vector<int32_t> byte_tokens_;
  std::vector<PairMerge> merges_;
  std::unordered_map<uint64_t, int32_t> ranks_;
};

}  // namespace twofour::train
