#include "twofour/train/data/csv_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/train/data/csv_separator.h"
#include "twofour/train/data/file_format.h"

namespace twofour::train {
namespace {

bool IsLineBreak(char c) { return c == '\n' || c == '\r'; }

}  // namespace

CsvReader::CsvReader(std::string_view text, char delimiter, std::string source, Part part, int64_t line)
    : text_(text), delimiter_(delimiter), source_(std::move(source)), line_(line) {
  if (delimiter == '"' || delimiter == '\0' || IsLineBreak(delimiter)) {
    throw Error("csv: delimiter: expected a character other than a quote, a line break and NUL");
  }
  if (part == Part::kWhole) {
    if (const std::string_view encoding = WideEncoding(text_); !encoding.empty()) {
      throw Error(fmt::format("{}: text in {}, expected UTF-8: save it anew in that encoding", source_, encoding));
    }
    if (const std::string_view format = WellKnownFormat(std::as_bytes(std::span(text.data(), text.size())));
        !format.empty()) {
      throw Error(fmt::format("{}: {}, expected a table in text (CSV)", source_, format));
    }
  }
  if (const size_t nul = text_.find('\0'); nul != std::string_view::npos) {
    const auto at = line_ + std::count(text_.begin(), text_.begin() + nul, '\n');
    Fail(at, part == Part::kWhole ? fmt::format("NUL byte (byte {} of the file), expected UTF-8 text", nul)
                                  : "NUL byte, expected UTF-8 text");
  }
  if (part == Part::kWhole) text_ = WithoutByteOrderMark(text_);
}

bool CsvReader::Next(CsvRow& row) {
  SkipEmptyLines();
  if (AtEnd()) return false;
  row.line = line_;
  size_t count = 0;
  bool more = true;
  while (more) {
    if (count == kMaxColumns) Fail(row.line, fmt::format("more than {} columns", kMaxColumns));
    if (count == row.cells.size()) row.cells.emplace_back();
    more = ReadCell(row.cells[count++]);
  }
  row.cells.resize(count);
  return true;
}

/// True when another cell of the row follows.
bool CsvReader::ReadCell(std::string& cell) {
  cell.clear();
  SkipBlanks();
  if (!AtEnd() && text_[at_] == '"') {
    ReadQuoted(cell);
    SkipBlanks();
  } else {
    ReadUnquoted(cell);
  }
  if (AtEnd()) return false;
  if (text_[at_] == delimiter_) {
    ++at_;
    return true;
  }
  if (!IsLineBreak(text_[at_])) {
    const char next = text_[at_ - 1] == '\t' ? '\t' : text_[at_];
    const bool separates = std::string_view(";\t|,").find(next) != std::string_view::npos;
    Fail(line_, separates ? fmt::format("text after a closing quote; if columns are separated by {}, {}",
                                        NameOfSeparator(next), SetDelimiter(next))
                          : "text after a closing quote");
  }
  SkipLineBreak();
  return false;
}

void CsvReader::ReadQuoted(std::string& cell) {
  const int64_t opened = line_;
  ++at_;
  for (;;) {
    const size_t end = std::min(text_.find_first_of("\"\r\n", at_), text_.size());
    cell.append(text_, at_, end - at_);
    at_ = end;
    if (AtEnd()) Fail(opened, "a quote is opened and never closed");
    if (text_[at_] == '"') {
      ++at_;
      if (AtEnd() || text_[at_] != '"') return;
      cell.push_back('"');
      ++at_;
    } else {
      SkipLineBreak();
      cell.append(text_, end, at_ - end);
    }
  }
}

void CsvReader::ReadUnquoted(std::string& cell) {
  const size_t begin = at_;
  while (!AtEnd() && text_[at_] != delimiter_ && !IsLineBreak(text_[at_])) {
    if (text_[at_] == '"') Fail(line_, "a quote inside a cell that does not begin with one");
    ++at_;
  }
  size_t end = at_;
  while (end > begin && (text_[end - 1] == ' ' || text_[end - 1] == '\t')) --end;
  cell.append(text_, begin, end - begin);
}

void CsvReader::SkipBlanks() {
  while (!AtEnd() && text_[at_] != delimiter_ && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
}

/// Lines that hold nothing, or nothing but blanks.
void CsvReader::SkipEmptyLines() {
  while (!AtEnd()) {
    const size_t begin = at_;
    SkipBlanks();
    if (!AtEnd() && !IsLineBreak(text_[at_])) {
      at_ = begin;
      return;
    }
    if (!AtEnd()) SkipLineBreak();
  }
}

void CsvReader::SkipLineBreak() {
  at_ += text_.substr(at_).starts_with("\r\n") ? 2 : 1;
  ++line_;
}

void CsvReader::Fail(int64_t line, std::string_view fault) const {
  throw Error(fmt::format("{}: line {}: {}", source_, line, fault));
}

}  // namespace twofour::train
