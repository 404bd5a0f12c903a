#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "twofour/train/data/token_source.h"

namespace twofour::train {

/// What the token ids of a text stand for: turns text into ids and back.
class Vocabulary {
 public:
  enum class Kind {
    kBytes,       ///< Id 0 to 255 is the byte of that value.
    kCharacters,  ///< Id i is the i-th of the vocabulary's Unicode code points in ascending order.
  };

  static Vocabulary Bytes() { return Vocabulary(Kind::kBytes, {}); }
  /// Throws Error when there is no character or more than kMaxVocabSize, when they are not in ascending order, and on
  /// one that occurs twice or cannot be written in UTF-8.
  static Vocabulary Characters(std::vector<char32_t> code_points);

  Kind kind() const { return kind_; }
  int64_t size() const;

  /// The ids of a text. Throws Error, naming the byte, on the first character that the vocabulary lacks, and for
  /// characters on text that is not UTF-8.
  std::vector<int32_t> Encode(std::string_view text) const;
  /// The text of ids. Where ids are bytes, it may begin or end within a character. Throws Error on an id outside [0,
  /// size()).
  std::string Decode(std::span<const int32_t> ids) const;

  /// {"kind": "bytes"} or {"kind": "characters", "characters": "..."}, the characters in the order of their ids.
  std::string ToJson() const;
  /// Reads what ToJson wrote. The text need not be trustworthy: throws Error, beginning with `source`, on more than 1
  /// MiB, on other keys and types, and on what Characters() refuses.
  static Vocabulary FromJson(std::string_view json, const std::string& source);

  bool operator==(const Vocabulary&) const = default;

 private:
  Vocabulary(Kind kind, std::vector<char32_t> characters) : kind_(kind), characters_(std::move(characters)) {}

  Kind kind_;
  std::vector<char32_t> characters_;  // In ascending order; empty for bytes.
};

}  // namespace twofour::train
