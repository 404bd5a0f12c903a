#include "twofour/train/program/config/text_structure.h"

#include <fmt/format.h>

#include <cctype>
#include <string_view>
#include <vector>

namespace twofour::train {
namespace {

using Place = TextSource::Place;

struct Opened {
  char bracket;
  Place place;
  std::string field;
};

char Closing(char bracket) { return bracket == '{' ? '}' : bracket == '[' ? ']' : '>'; }

std::string At(const Place& place) { return fmt::format("line {}, column {}", place.line + 1, place.offset + 1); }

/// "'training', opened at line 3, column 10", or only the bracket if there is no name before it.
std::string Name(const Opened& opened) {
  const std::string what =
      opened.field.empty() ? fmt::format("'{}'", opened.bracket) : fmt::format("'{}'", opened.field);
  return fmt::format("{}, opened at {}", what, At(opened.place));
}

class Scan {
 public:
  explicit Scan(const TextSource& source) : source_(source) {}

  std::optional<StructureFault> Run() {
    const Place end = source_.End();
    for (size_t line = 0; line <= end.line; ++line) {
      if (auto fault = ReadLine(line)) return fault;
    }
    if (open_.empty()) return std::nullopt;
    const Opened& last = open_.back();
    return StructureFault{
        source_.End(),
        fmt::format("the text ends here, expected '{}' that closes {}", Closing(last.bracket), Name(last)), true};
  }

 private:
  std::optional<StructureFault> ReadLine(size_t line) {
    const std::string_view text = source_.Line(line);
    for (size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if (c == '#') return std::nullopt;
      if (c == '"' || c == '\'') {
        const size_t end = EndOfQuote(text, i);
        if (end == std::string_view::npos) {
          return StructureFault{{line, i},
                                fmt::format("the quote that begins here is not closed on its line, expected {}", c)};
        }
        i = end;
        word_.clear();
      } else if (c == '{' || c == '[' || c == '<') {
        open_.push_back({c, {line, i}, word_});
        word_.clear();
      } else if (c == '}' || c == ']' || c == '>') {
        if (auto fault = Close(c, {line, i})) return fault;
      } else if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_') {
        if (!in_word_) word_.clear();
        word_ += c;
        in_word_ = true;
        continue;
      } else if (c != ' ' && c != '\t' && c != ':') {
        word_.clear();
      }
      in_word_ = false;
    }
    in_word_ = false;
    return std::nullopt;
  }

  /// Where the quote that begins at `begin` ends; npos if it does not end on this line.
  static size_t EndOfQuote(std::string_view text, size_t begin) {
    for (size_t i = begin + 1; i < text.size(); ++i) {
      if (text[i] == '\\') {
        ++i;
      } else if (text[i] == text[begin]) {
        return i;
      }
    }
    return std::string_view::npos;
  }

  std::optional<StructureFault> Close(char bracket, const Place& place) {
    word_.clear();
    if (open_.empty()) return StructureFault{place, fmt::format("'{}' closes nothing that was opened", bracket)};
    const Opened last = open_.back();
    open_.pop_back();
    if (Closing(last.bracket) == bracket) return std::nullopt;
    return StructureFault{
        place, fmt::format("'{}', expected '{}' that closes {}", bracket, Closing(last.bracket), Name(last))};
  }

  const TextSource& source_;
  std::vector<Opened> open_;
  std::string word_;  // The last name, if only blanks and colons came after it.
  bool in_word_ = false;
};

}  // namespace

std::optional<StructureFault> FindStructureFault(const TextSource& source) { return Scan(source).Run(); }

}  // namespace twofour::train
