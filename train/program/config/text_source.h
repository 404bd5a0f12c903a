#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace twofour::train {

/// Protobuf text that a person wrote, for messages that name places in it. Lines and offsets (in bytes, within a line)
/// count from 0; messages count lines and characters from 1, as editors do.
class TextSource {
 public:
  struct Place {
    size_t line = 0, offset = 0;
    bool operator==(const Place&) const = default;
    auto operator<=>(const Place&) const = default;
  };

  /// `text` without a byte-order mark and with each line break as one "\n". Throws Error, starting with `name`, on text
  /// in UTF-16 and on what is no text.
  TextSource(std::string_view text, std::string name);

  const std::string& text() const { return text_; }
  const std::string& name() const { return name_; }
  /// A line without its break; empty beyond the last.
  std::string_view Line(size_t line) const;
  /// Behind the last character that is no blank.
  Place End() const;
  /// Whether nothing but blanks and comments comes from there on.
  bool NothingFrom(const Place& place) const;

  /// A place as protobuf's parser counts: from 0, with tabs up to the next multiple of 8.
  Place FromParser(int line, int column) const;
  /// "c.pbtxt:3:7: what".
  std::string Located(const Place& place, std::string_view what) const;

 private:
  std::string text_, name_;
  std::vector<std::string_view> lines_;  // Of text_.
};

/// The word at the beginning of `text`, up to a blank or one of ,;:{}[]<>#: at most 40 bytes.
std::string_view FirstWord(std::string_view text);

}  // namespace twofour::train
