#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <istream>
#include <memory>
#include <optional>
#include <string>

#include "twofour/train/data/csv_reader.h"

namespace twofour::train {

/// Reads a CSV file of any length row by row, and keeps only a few rows in memory. What CsvReader says of rows and
/// cells holds here.
class CsvStream {
 public:
  /// A row may have this many bytes.
  static constexpr size_t kMaxRowBytes = size_t{64} << 20;
  static constexpr size_t kBlockBytes = size_t{1} << 20;

  /// `in` must outlive the stream. It is read in blocks, of which tests may choose the size.
  CsvStream(std::istream& in, char delimiter, std::string source, size_t block_bytes = kBlockBytes);
  CsvStream(const CsvStream&) = delete;  // reader_ points into text_.
  CsvStream& operator=(const CsvStream&) = delete;

  /// Reads the next row; false at the end. Throws Error as CsvReader does, and on rows that are too long. If the file
  /// cannot be read, the Error is a runtime failure.
  bool Next(CsvRow& row);

 private:
  /// Where in a cell the text is. Only a quote at the beginning of a cell opens a quoted one.
  enum class Place { kBegin, kPlain, kQuoted, kAfterQuote };

  bool ReadBlock();
  void Scan();
  static Place After(char c, Place place, char delimiter);

  std::istream& in_;
  char delimiter_;
  std::string source_;
  size_t block_bytes_;
  std::string text_;             // What reader_ reads: whole rows.
  std::string rest_;             // What was read beyond them.
  size_t scanned_ = 0;           // Bytes of rest_ that Scan has seen.
  Place place_ = Place::kBegin;  // After these bytes.
  size_t rows_end_ = 0;          // Where the last whole row in these bytes ends.
  int64_t line_ = 1;             // At which rest_ begins.
  bool ended_ = false;
  std::optional<CsvReader> reader_;
};

/// Opens a table for CsvStream. A gzip'd one is decompressed into memory, up to 1 GiB. Throws Error on a file that
/// cannot be read.
std::unique_ptr<std::istream> OpenTable(const std::filesystem::path& path);
/// The same for a stream. Null if the stream holds plain text, and is to be read itself.
std::unique_ptr<std::istream> OpenTable(std::istream& in, const std::string& source);

}  // namespace twofour::train
