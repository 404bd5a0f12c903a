#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "twofour/train/data/bpe/tokenizer.h"
#include "twofour/train/data/token_source.h"

namespace twofour::train {

/// What the token ids of a text stand for: turns text into ids and back.
class Vocabulary {
 public:
  enum class Kind {
    kBytes,       ///< Id 0 to 255 is the byte of that value.
    kCharacters,  ///< Id i is the i-th of the vocabulary's Unicode code points in ascending order.
    kBpe,         ///< Ids are those of a byte-level BPE tokenizer.
  };

  static Vocabulary Bytes() { return Vocabulary(Kind::kBytes, {}); }
  /// Throws Error when there is no character or more than kMaxVocabSize, when they are not in ascending order, and on
  /// one that occurs twice or cannot be written in UTF-8.
  static Vocabulary Characters(std::vector<char32_t> code_points);

  static Vocabulary Bpe(BpeTokenizer tokenizer);

  Kind kind() const { return kind_; }
  int64_t size() const;

  /// The ids of a text. Throws Error, naming the byte, on the first character that the vocabulary lacks, and for
  /// characters on text that is not UTF-8.
  std::vector<int32_t> Encode(std::string_view text) const;
  /// The text of ids. Where ids are bytes, it may begin or end within a character. Throws Error on an id outside [0,
  /// size()).
  std::string Decode(std::span<const int32_t> ids) const;

  /// {"kind": "bytes"} or {"kind": "characters", "characters": "..."}, the characters in the order of their ids. For
  /// BPE, a tokenizer.json.
  std::string ToJson() const;
  /// The largest text that FromJson reads.
  static constexpr uint64_t kMaxJsonBytes = uint64_t{64} << 20;
  /// Reads what ToJson wrote. The text need not be trustworthy: throws Error, beginning with `source`, on more than
  /// kMaxJsonBytes (1 MiB but for BPE), on other keys and types, and on what Characters() or ParseTokenizer refuses.
  static Vocabulary FromJson(std::string_view json, const std::string& source);

  /// Whether both give the same ids for each text.
  bool operator==(const Vocabulary& other) const;

 private:
  Vocabulary(Kind kind, std::vector<char32_t> characters) : kind_(kind), characters_(std::move(characters)) {}

  Kind kind_;
  std::vector<char32_t> characters_;               // In ascending order; empty but for characters.
  std::shared_ptr<const BpeTokenizer> tokenizer_;  // Only for BPE.
};

}  // namespace twofour::train
