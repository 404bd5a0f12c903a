#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/file_format.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/core/io/safetensors_header.h"
#include "twofour/core/io/safetensors_types.h"
#include "twofour/core/quote_for_message.h"

namespace twofour {
namespace {

using internal::SafetensorsEntry;

constexpr uint64_t kLengthBytes = sizeof(uint64_t);
constexpr uint64_t kMaxFileBytes = uint64_t{64} << 30;
constexpr uint64_t kMaxElements = uint64_t{1} << 48;  // The limit of NumElements.
/// This much of a file shows its format if it is another one.
constexpr uint64_t kBeginningBytes = 4096;

/// The file that is being read: its name for errors, and where the bytes after the header are.
struct Source {
  const ReadableFile& file;
  const std::string& name;
  uint64_t data_begin = 0;
  uint64_t data_bytes = 0;

  [[noreturn]] void Fail(std::string_view what) const { throw Error(fmt::format("{}: {}", name, what)); }
  [[noreturn]] void Fail(const SafetensorsEntry& entry, std::string_view what) const {
    throw Error(fmt::format("{}: tensor {}: {}", name, QuoteForMessage(entry.name), what));
  }
};

uint64_t CheckedElementCount(const Source& source, const SafetensorsEntry& entry) {
  uint64_t count = 1;
  bool is_empty = false;
  for (uint64_t size : entry.shape) {
    if (size == 0) is_empty = true;
    // Sizes beside a zero are bounded, too, so that products of some of a shape's sizes cannot overflow later.
    if (size > kMaxElements / count) {
      source.Fail(entry, fmt::format("shape [{}] has more than 2^48 elements", fmt::join(entry.shape, ", ")));
    }
    count *= std::max<uint64_t>(size, 1);
  }
  return is_empty ? 0 : count;
}

/// Checks one entry by itself. CheckTiling checks whether the regions fit together.
void CheckEntry(const Source& source, const SafetensorsEntry& entry) {
  const uint64_t count = CheckedElementCount(source, entry);
  if (entry.begin > entry.end) {
    source.Fail(entry, fmt::format("data_offsets [{}, {}] end before they begin", entry.begin, entry.end));
  }
  const std::optional<uint64_t> bits_of_one = internal::SafetensorsBitsOf(entry.dtype);
  if (!bits_of_one) return;  // A type of a later version of the format, whose size is unknown.
  const uint64_t bits = count * *bits_of_one;
  if (bits % 8 != 0) {
    source.Fail(entry, fmt::format("its shape [{}] of {} takes {} bits, expected whole bytes",
                                   fmt::join(entry.shape, ", "), entry.dtype, bits));
  }
  const uint64_t needed = bits / 8;
  if (entry.end - entry.begin != needed) {
    source.Fail(
        entry, fmt::format("data_offsets [{}, {}] hold {} bytes, its shape [{}] of {} needs {}", entry.begin, entry.end,
                           entry.end - entry.begin, fmt::join(entry.shape, ", "), entry.dtype, needed));
  }
}

/// The regions must cover the data exactly, because a byte that belongs to two tensors or to none can hide things.
void CheckTiling(const Source& source, const std::vector<SafetensorsEntry>& entries) {
  std::vector<const SafetensorsEntry*> sorted;
  sorted.reserve(entries.size());
  for (const SafetensorsEntry& entry : entries) sorted.push_back(&entry);
  std::sort(sorted.begin(), sorted.end(), [](const SafetensorsEntry* a, const SafetensorsEntry* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  uint64_t covered = 0;
  for (const SafetensorsEntry* entry : sorted) {
    if (entry->begin != covered) {
      source.Fail(*entry, fmt::format("data_offsets [{}, {}] {}, expected it to begin at {}", entry->begin, entry->end,
                                      entry->begin < covered ? "overlap the tensor before" : "leave a hole", covered));
    }
    covered = entry->end;
  }
  if (covered > source.data_bytes) {
    const auto cut = std::find_if(sorted.begin(), sorted.end(),
                                  [&](const SafetensorsEntry* entry) { return entry->end > source.data_bytes; });
    source.Fail(**cut,
                fmt::format("truncated: header says {} bytes of data, file holds {}", covered, source.data_bytes));
  }
  if (covered < source.data_bytes) {
    source.Fail(fmt::format("trailing bytes: header says {} bytes of data, file holds {}", covered, source.data_bytes));
  }
}

/// Reads the elements directly into the tensor, without another copy.
Tensor ReadTensor(const Source& source, const SafetensorsEntry& entry, DType dtype) {
  Tensor tensor;
  try {
    tensor = Tensor::Empty(Shape(entry.shape.begin(), entry.shape.end()), dtype);
  } catch (const Error& error) {
    throw Error(fmt::format("{}: tensor {}: {}", source.name, QuoteForMessage(entry.name), error.what()), error.kind());
  }
  const std::span<std::byte> bytes(tensor.mutable_raw(), entry.end - entry.begin);
  source.file.Read(source.data_begin + entry.begin, bytes);
  if (dtype == DType::kBool) {
    for (size_t i = 0; i < bytes.size(); ++i) {
      if (std::to_integer<int>(bytes[i]) > 1) {
        source.Fail(entry, fmt::format("element {} of BOOL is {}, expected 0 or 1", i, std::to_integer<int>(bytes[i])));
      }
    }
  }
  return tensor;
}

bool IsPrintable(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isprint(c) != 0 || std::isspace(c) != 0; });
}

/// Checks the file's beginning, then reads and checks all of its header.
internal::SafetensorsHeader ReadHeader(Source& source) {
  const uint64_t file_bytes = source.file.size();
  std::vector<std::byte> beginning(std::min(file_bytes, kBeginningBytes));
  source.file.Read(0, beginning);
  // A header's length might look like a signature, but no signature is followed by a header.
  const bool has_header = beginning.size() > kLengthBytes && beginning[kLengthBytes] == std::byte{'{'};
  if (const std::string_view format = WellKnownFormat(beginning); !has_header && !format.empty()) {
    source.Fail(fmt::format("{}, expected a safetensors file", format));
  }
  if (file_bytes < kLengthBytes) {
    source.Fail(fmt::format("truncated: file holds {} bytes, the length of the header alone takes {}", file_bytes,
                            kLengthBytes));
  }
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, beginning.data(), kLengthBytes);
  if (header_bytes > internal::kMaxSafetensorsHeaderBytes) {
    constexpr size_t kShown = 24;
    const std::string_view start(reinterpret_cast<const char*>(beginning.data()), std::min(beginning.size(), kShown));
    if (IsPrintable(start)) {
      source.Fail(fmt::format("not a safetensors file: text that begins with {}", QuoteForMessage(start)));
    }
    source.Fail(fmt::format("not a safetensors file: a header of {} bytes, the format allows {}", header_bytes,
                            internal::kMaxSafetensorsHeaderBytes));
  }
  if (header_bytes > file_bytes - kLengthBytes) {
    source.Fail(
        fmt::format("truncated: file says {} bytes of header and holds {}", header_bytes, file_bytes - kLengthBytes));
  }
  std::string json(header_bytes, '\0');
  source.file.Read(kLengthBytes, std::as_writable_bytes(std::span(json)));
  internal::SafetensorsHeader header = internal::ParseSafetensorsHeader(json, source.name);
  source.data_begin = kLengthBytes + header_bytes;
  source.data_bytes = file_bytes - source.data_begin;
  for (const SafetensorsEntry& entry : header.entries) CheckEntry(source, entry);
  CheckTiling(source, header.entries);
  return header;
}

}  // namespace

SafetensorsFile LoadSafetensors(FileSystem& file_system, const std::filesystem::path& path) {
  return ReadSafetensors(*file_system.OpenFile(path, kMaxFileBytes), path.string());
}

SafetensorsFile ParseSafetensors(std::span<const std::byte> bytes, const std::string& source_name) {
  return ReadSafetensors(BytesAsFile(bytes), source_name);
}

SafetensorsFile ReadSafetensors(const ReadableFile& readable, const std::string& source_name) {
  Source source{readable, source_name};
  internal::SafetensorsHeader header = ReadHeader(source);
  SafetensorsFile file{.tensors = {}, .metadata = std::move(header.metadata)};
  file.tensors.reserve(header.entries.size());
  for (SafetensorsEntry& entry : header.entries) {
    if (const std::optional<DType> dtype = internal::DTypeOfSafetensorsName(entry.dtype)) {
      file.tensors.push_back({entry.name, ReadTensor(source, entry, *dtype)});
    } else {
      file.skipped.push_back({std::move(entry.name), std::move(entry.dtype), std::move(entry.shape)});
    }
  }
  return file;
}

}  // namespace twofour
