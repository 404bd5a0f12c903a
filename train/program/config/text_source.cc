#include "twofour/train/program/config/text_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/train/data/file_format.h"

namespace twofour::train {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

/// The line without its comment. A # in quotes does not begin a comment.
std::string_view WithoutComment(std::string_view line) {
  char quote = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    if (quote == 0 && line[i] == '#') return line.substr(0, i);
    if (quote == 0 && (line[i] == '"' || line[i] == '\'')) {
      quote = line[i];
    } else if (quote != 0 && line[i] == '\\') {
      ++i;
    } else if (line[i] == quote) {
      quote = 0;
    }
  }
  return line;
}

std::string Plain(std::string_view text, const std::string& name) {
  if (const std::string_view encoding = WideEncoding(text); !encoding.empty()) {
    throw Error(fmt::format("{}: text in {}, expected UTF-8: save it anew in that encoding", name, encoding));
  }
  text = WithoutByteOrderMark(text);
  if (const std::string_view format = WellKnownFormat(std::as_bytes(std::span(text.data(), text.size())));
      !format.empty()) {
    throw Error(fmt::format("{}: {}, expected protobuf text", name, format));
  }
  if (const size_t zero = text.find('\0'); zero != std::string_view::npos) {
    throw Error(fmt::format("{}: byte {} is zero, expected protobuf text in UTF-8", name, zero));
  }
  std::string plain;
  plain.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      plain += text[i];
    } else if (i + 1 == text.size() || text[i + 1] != '\n') {
      plain += '\n';
    }
  }
  return plain;
}

}  // namespace

TextSource::TextSource(std::string_view text, std::string name) : text_(Plain(text, name)), name_(std::move(name)) {
  for (size_t begin = 0; begin < text_.size();) {
    const size_t end = std::min(text_.find('\n', begin), text_.size());
    lines_.push_back(std::string_view(text_).substr(begin, end - begin));
    begin = end + 1;
  }
}

std::string_view TextSource::Line(size_t line) const { return line < lines_.size() ? lines_[line] : ""; }

TextSource::Place TextSource::End() const {
  for (size_t line = lines_.size(); line-- > 0;) {
    std::string_view rest = WithoutComment(lines_[line]);
    while (!rest.empty() && IsBlank(rest.back())) rest.remove_suffix(1);
    if (!rest.empty()) return {line, rest.size()};
  }
  return {};
}

bool TextSource::NothingFrom(const Place& place) const { return place >= End(); }

TextSource::Place TextSource::FromParser(int line, int column) const {
  constexpr int kTab = 8;
  Place place{static_cast<size_t>(std::max(line, 0)), 0};
  const std::string_view text = Line(place.line);
  for (int shown = 0; shown < column && place.offset < text.size(); ++place.offset) {
    shown += text[place.offset] == '\t' ? kTab - shown % kTab : 1;
  }
  return place;
}

std::string TextSource::Located(const Place& place, std::string_view what) const {
  const std::string_view before = Line(place.line).substr(0, place.offset);
  const auto characters = std::ranges::count_if(before, [](char c) { return (c & 0xC0) != 0x80; });
  return fmt::format("{}:{}:{}: {}", name_, place.line + 1, characters + 1, what);
}

std::string_view FirstWord(std::string_view text) {
  constexpr size_t kMost = 40;
  return text.substr(0, std::min(text.find_first_of(" \t\r\n,;:{}[]<>#"), kMost));
}

}  // namespace twofour::train
