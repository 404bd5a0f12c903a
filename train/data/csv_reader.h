#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace twofour::train {

/// One record of a CSV file.
struct CsvRow {
  int64_t line = 0;  ///< Where it begins, counted from 1.
  std::vector<std::string> cells;
};

/// Splits CSV text into rows and cells, as RFC 4180 says: cells in double quotes may hold delimiters, line breaks and
/// quotes (written twice). Beyond the RFC: a UTF-8 byte-order mark is skipped, lines end in CRLF, LF or CR, empty lines
/// are ignored, and blanks around a cell are dropped.
class CsvReader {
 public:
  static constexpr size_t kMaxColumns = 100'000;

  /// What a text is: a file from its beginning, or rows from further on.
  enum class Part { kWhole, kLater };

  /// `text` must outlive the reader; `source` names the file in messages, and `text` begins at its line `line`. Throws
  /// Error when `delimiter` is a quote or a line break, when the text holds a NUL byte and, where it is the beginning
  /// of a file, if it is UTF-16 or of a WellKnownFormat.
  CsvReader(std::string_view text, char delimiter, std::string source, Part part = Part::kWhole, int64_t line = 1);

  /// Reads the next row; false at the end. Throws Error, naming the line, on quotes that do not match or are in the
  /// wrong place and on more than kMaxColumns cells.
  bool Next(CsvRow& row);

 private:
  bool AtEnd() const { return at_ == text_.size(); }
  bool ReadCell(std::string& cell);
  void ReadQuoted(std::string& cell);
  void ReadUnquoted(std::string& cell);
  void SkipBlanks();
  void SkipLineBreak();
  void SkipEmptyLines();
  [[noreturn]] void Fail(int64_t line, std::string_view fault) const;

  std::string_view text_;
  char delimiter_;
  std::string source_;
  size_t at_ = 0;
  int64_t line_;
};

}  // namespace twofour::train
