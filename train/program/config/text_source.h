#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace twofour::train {

/// Protobuf text that a person wrote, for error messages that name places in it. Lines and offsets (in bytes, within a
/// line) count from 0; messages count lines and characters from 1, as editors do.
class TextSource {
 public:
  struct Place {
    size_t line = 0, offset = 0;
    bool operator==(const Place&) const = default;
    auto operator<=>(const Place&) const = default;
  };

  /// Takes `text` without a byte-order mark and with each line break as one "\n". Throws Error, starting with `name`,
  /// if it is in UTF-16 or is not text.
  TextSource(std::string_view text, std::string name);

  const std::string& text() const { return text_; }
  const std::string& name() const { return name_; }
  /// A line without its line break. Empty after the last line.
  std::string_view Line(size_t line) const;
  /// The place after the last character that is neither blank nor part of a comment.
  Place End() const;
  /// Whether only blanks and comments follow from there on.
  bool NothingFrom(const Place& place) const;

  /// Converts a place as protobuf's parser counts: from 0, with tabs up to the next multiple of 8.
  Place FromParser(int line, int column) const;
  /// "c.pbtxt:3:7: what".
  std::string Located(const Place& place, std::string_view what) const;

 private:
  std::string text_, name_;
  std::vector<std::string_view> lines_;  // Views into text_.
};

/// The word at the beginning of `text`, up to a blank or one of ,;:{}[]<>#, but at most 40 bytes.
std::string_view FirstWord(std::string_view text);

}  // namespace twofour::train
