#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace twofour::train {

/// Splits text into the pieces that byte-pair encoding works on, by a regular expression with Unicode properties
/// (PCRE2). Each match is a piece, and so is all text between two matches. Bytes that are not UTF-8 end the text before
/// them, and all of them up to the next character are a piece.
class TextSplitter {
 public:
  /// Throws Error, beginning with `source`, where the pattern is faulty. `\s` means the characters
  /// of Unicode's White_Space, as in other programs that read tokenizer files.
  TextSplitter(std::string pattern, const std::string& source);
  ~TextSplitter();
  TextSplitter(TextSplitter&&) noexcept;

  const std::string& pattern() const { return pattern_; }
  /// Calls `piece` for all pieces, in order. Threads may call it at once. Throws Error if the pattern takes too many
  /// steps at one place.
  void Split(std::string_view text, const std::function<void(std::string_view)>& piece) const;

  /// GPT-2's pattern (github.com/openai/gpt-2, encoder.py): contractions, then words, numbers and other signs, each
  /// with a blank before, and blanks.
  static const char* const kGpt2;

 private:
  struct Compiled;

  void SplitValid(std::string_view text, const std::function<void(std::string_view)>& piece) const;

  std::string pattern_;
  std::unique_ptr<Compiled> compiled_;
};

/// A pattern in which `\s` is written out, because PCRE2's also matches U+180E.
std::string WithUnicodeBlanks(std::string_view pattern);

}  // namespace twofour::train
