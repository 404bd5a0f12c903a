#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/train/data/bpe/pair_merges.h"
#include "twofour/train/data/bpe/text_splitter.h"

namespace twofour::train {

/// What a BpeTokenizer is made of.
struct TokenizerParts {
  std::vector<std::string> tokens;   ///< The bytes of each token, by id. Empty for ids that no token has.
  std::vector<int32_t> byte_tokens;  ///< [256]: the token of each byte.
  std::vector<PairMerge> merges;     ///< In the order of their ranks.
  /// Tokens that stand for their text wherever it occurs, before the rest of the text is split into pieces. Where
  /// several fit, the longest.
  std::vector<int32_t> special = {};
  std::string pattern = TextSplitter::kGpt2;  ///< See TextSplitter.
  /// Put a blank before text that does not begin with one, also after a special token.
  bool add_blank = false;
};

/// A byte-level BPE tokenizer, such as GPT-2's: turns text into ids and back. Any bytes are text. Const functions may
/// be called from several threads at once.
class BpeTokenizer {
 public:
  /// Longer tokens are refused, because a file could hold a few that are very long.
  static constexpr size_t kMaxTokenBytes = 4096;

  /// Throws Error, beginning with `source`, if there are more than kMaxVocabSize tokens, if an id is out of range, if a
  /// byte's token is not that byte, if a merge's result is not its two tokens in a row, and on a faulty pattern.
  BpeTokenizer(TokenizerParts parts, const std::string& source);

  /// Ids lie in [0, size()).
  int64_t size() const { return static_cast<int64_t>(parts_.tokens.size()); }
  const TokenizerParts& parts() const { return parts_; }

  /// The ids of a text; where `stop` becomes true meanwhile, only of its beginning. Null never stops it.
  std::vector<int32_t> Encode(std::string_view text, const std::atomic<bool>* stop = nullptr) const;
  /// The bytes of ids, which may begin or end within a character. An id that no token has gives nothing. Throws Error
  /// on an id outside of [0, size()).
  std::string Decode(std::span<const int32_t> ids) const;

 private:
  void EncodePlain(std::string_view text, const std::atomic<bool>* stop, std::vector<int32_t>& ids) const;

  TokenizerParts parts_;
  PairMerges merges_;
  TextSplitter splitter_;
  std::optional<TextSplitter> special_splitter_;          // Matches the special tokens' texts.
  std::vector<std::pair<std::string, int32_t>> special_;  // Sorted by text.
};

}  // namespace twofour::train
