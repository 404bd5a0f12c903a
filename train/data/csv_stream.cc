#include "twofour/train/data/csv_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <span>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/train/data/file_format.h"
#include "twofour/train/data/gzip.h"

namespace twofour::train {
namespace {

constexpr uint64_t kMaxGzipBytes = uint64_t{1} << 30;

/// Line breaks in text that does not end between a CR and its LF.
int64_t CountLines(std::string_view text) {
  int64_t lines = std::count(text.begin(), text.end(), '\n');
  for (size_t at = text.find('\r'); at != std::string_view::npos; at = text.find('\r', at + 1)) {
    lines += at + 1 == text.size() || text[at + 1] != '\n';
  }
  return lines;
}

}  // namespace

CsvStream::CsvStream(std::istream& in, char delimiter, std::string source, size_t block_bytes)
    : in_(in), delimiter_(delimiter), source_(std::move(source)), block_bytes_(block_bytes) {}

bool CsvStream::Next(CsvRow& row) {
  while (!reader_ || !reader_->Next(row)) {
    if (!ReadBlock()) return false;
  }
  return true;
}

CsvStream::Place CsvStream::After(char c, Place place, char delimiter) {
  const bool quoted = place == Place::kQuoted;
  if (c == '"') {
    // After a quote, a second one stands for one in the cell.
    return quoted ? Place::kAfterQuote : place == Place::kPlain ? Place::kPlain : Place::kQuoted;
  }
  if (quoted) return Place::kQuoted;
  if (c == delimiter || c == '\n' || c == '\r') return Place::kBegin;
  return place == Place::kBegin && (c == ' ' || c == '\t') ? Place::kBegin : Place::kPlain;
}

/// Finds out where the last whole row of rest_ ends.
void CsvStream::Scan() {
  for (; scanned_ < rest_.size(); ++scanned_) {
    const char c = rest_[scanned_];
    // A byte-order mark belongs to no cell.
    if (!reader_ && scanned_ < kByteOrderMark.size() && c == kByteOrderMark[scanned_] && place_ == Place::kBegin)
      continue;
    // An LF after a CR belongs to it, and may not have been read yet.
    const bool last = scanned_ + 1 == rest_.size();
    if (c == '\r' && last && !ended_) return;
    place_ = After(c, place_, delimiter_);
    const bool ends_line = c == '\n' || (c == '\r' && (last || rest_[scanned_ + 1] != '\n'));
    if (ends_line && place_ == Place::kBegin) rows_end_ = scanned_ + 1;
  }
  if (ended_) rows_end_ = rest_.size();
}

/// Makes the next rows those of reader_; false at the end of the file.
bool CsvStream::ReadBlock() {
  const bool first = !reader_;
  while (rows_end_ == 0 && !ended_) {
    if (rest_.size() > kMaxRowBytes) {
      throw Error(fmt::format("{}: line {}: a row of more than {} MiB{}", source_, line_, kMaxRowBytes >> 20,
                              place_ == Place::kQuoted ? ": is a quote opened and never closed?" : ""));
    }
    const size_t before = rest_.size();
    rest_.resize(before + block_bytes_);
    in_.read(rest_.data() + before, static_cast<std::streamsize>(block_bytes_));
    rest_.resize(before + static_cast<size_t>(in_.gcount()));
    if (in_.bad()) throw Error(fmt::format("{}: cannot be read", source_), ErrorKind::kRuntimeFailure);
    ended_ = !in_;
    Scan();
  }
  if (rows_end_ == 0) return false;
  text_ = rest_.substr(0, rows_end_);
  rest_.erase(0, rows_end_);
  scanned_ -= rows_end_;
  rows_end_ = 0;
  reader_.emplace(text_, delimiter_, source_, first ? CsvReader::Part::kWhole : CsvReader::Part::kLater, line_);
  line_ += CountLines(text_);
  return true;
}

std::unique_ptr<std::istream> OpenTable(std::istream& in, const std::string& source) {
  constexpr int kFirstOfGzip = 0x1f;  // No text begins with it.
  if (in.peek() != kFirstOfGzip) return nullptr;
  std::vector<char> bytes;
  std::vector<char> block(CsvStream::kBlockBytes);
  while (in && bytes.size() <= kMaxGzipBytes) {
    in.read(block.data(), std::ssize(block));
    bytes.insert(bytes.end(), block.begin(), block.begin() + in.gcount());
  }
  const auto packed = std::as_bytes(std::span(bytes));
  if (!IsGzip(packed)) return std::make_unique<std::istringstream>(std::string(bytes.begin(), bytes.end()));
  const std::vector<std::byte> data = Decompress(packed, kMaxGzipBytes, source);
  return std::make_unique<std::istringstream>(std::string(reinterpret_cast<const char*>(data.data()), data.size()));
}

std::unique_ptr<std::istream> OpenTable(const std::filesystem::path& path) {
  std::error_code ignored;
  const bool is_stream = std::filesystem::is_fifo(path, ignored) || std::filesystem::is_character_file(path, ignored);
  auto file = std::make_unique<std::ifstream>();
  if (!is_stream) FileSystem::Default().OpenFile(path, uint64_t{1} << 50);  // Throws Error that says why it cannot.
  file->open(path, std::ios::binary);
  if (!*file) throw Error(fmt::format("{}: cannot be opened", path.string()));
  std::unique_ptr<std::istream> unpacked = OpenTable(*file, path.string());
  return unpacked ? std::move(unpacked) : std::move(file);
}

}  // namespace twofour::train
