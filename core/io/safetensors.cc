#include "twofour/core/io/safetensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <optional>
#include <unordered_set>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/io/file_format.h"
#include "twofour/core/io/json.h"
#include "twofour/core/io/safetensors_header.h"
#include "twofour/core/io/safetensors_types.h"

namespace twofour {
namespace {

using internal::QuoteForMessage;
using internal::SafetensorsEntry;

static_assert(std::endian::native == std::endian::little, "safetensors files hold little-endian elements");

constexpr uint64_t kLengthBytes = sizeof(uint64_t);
constexpr uint64_t kDataAlignment = 64;  // Of the first array within the file: a cache line.
constexpr uint64_t kMaxFileBytes = uint64_t{64} << 30;
constexpr uint64_t kMaxElements = uint64_t{1} << 48;  // As NumElements allows.

/// One file being parsed: the errors' prefix and the bytes after the header.
struct Source {
  const std::string& name;
  std::span<const std::byte> data;

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
    // Sizes beside a zero are bounded as well, so that products of some of a shape's sizes cannot overflow later.
    if (size > kMaxElements / count) {
      source.Fail(entry, fmt::format("shape [{}] has more than 2^48 elements", fmt::join(entry.shape, ", ")));
    }
    count *= std::max<uint64_t>(size, 1);
  }
  return is_empty ? 0 : count;
}

/// Checks one entry by itself; whether the regions fit together is CheckTiling's.
void CheckEntry(const Source& source, const SafetensorsEntry& entry) {
  const uint64_t count = CheckedElementCount(source, entry);
  if (entry.begin > entry.end) {
    source.Fail(entry, fmt::format("data_offsets [{}, {}] end before they begin", entry.begin, entry.end));
  }
  const std::optional<uint64_t> bits_of_one = internal::SafetensorsBitsOf(entry.dtype);
  if (!bits_of_one) return;  // Of a later version of the format: nobody knows how long it should be.
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

/// The regions must cover the data exactly: a byte that belongs to two tensors or to none is a way to hide things.
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
  if (covered > source.data.size()) {
    const auto cut = std::find_if(sorted.begin(), sorted.end(),
                                  [&](const SafetensorsEntry* entry) { return entry->end > source.data.size(); });
    source.Fail(**cut,
                fmt::format("truncated: header says {} bytes of data, file holds {}", covered, source.data.size()));
  }
  if (covered < source.data.size()) {
    source.Fail(
        fmt::format("trailing bytes: header says {} bytes of data, file holds {}", covered, source.data.size()));
  }
}

Tensor ReadTensor(const Source& source, const SafetensorsEntry& entry, DType dtype) {
  const std::span<const std::byte> bytes = source.data.subspan(entry.begin, entry.end - entry.begin);
  if (dtype == DType::kBool) {
    for (size_t i = 0; i < bytes.size(); ++i) {
      if (std::to_integer<int>(bytes[i]) > 1) {
        source.Fail(entry, fmt::format("element {} of BOOL is {}, expected 0 or 1", i, std::to_integer<int>(bytes[i])));
      }
    }
  }
  Tensor tensor = Tensor::Empty(Shape(entry.shape.begin(), entry.shape.end()), dtype);
  if (!bytes.empty()) std::memcpy(tensor.mutable_raw(), bytes.data(), bytes.size());
  return tensor;
}

void CheckSavable(const std::string& file, const std::vector<NamedTensor>& tensors) {
  std::unordered_set<std::string_view> names;
  for (const NamedTensor& named : tensors) {
    const std::string name = QuoteForMessage(named.name);
    if (named.name == "__metadata__") throw Error(fmt::format("{}: tensor {}: the name is reserved", file, name));
    if (!names.insert(named.name).second) throw Error(fmt::format("{}: tensor {} comes twice", file, name));
    if (!named.tensor.defined()) throw Error(fmt::format("{}: tensor {} is undefined", file, name));
  }
}

/// `text` as a JSON string, with its quotes.
std::string JsonString(const std::string& file, const std::string& text) {
  try {
    return twofour::JsonString(text);
  } catch (const Error&) {
    throw Error(fmt::format("{}: {} is not UTF-8", file, QuoteForMessage(text)));
  }
}

/// Indices into `tensors` in the order in which their bytes are written.
std::vector<size_t> DataOrder(const std::vector<NamedTensor>& tensors) {
  std::vector<size_t> order(tensors.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&tensors](size_t a, size_t b) {
    return SizeOf(tensors[a].tensor.dtype()) > SizeOf(tensors[b].tensor.dtype());
  });
  return order;
}

uint64_t BytesOf(const Tensor& tensor) { return static_cast<uint64_t>(tensor.numel()) * SizeOf(tensor.dtype()); }

/// The JSON header, padded with spaces so that the data starts at a multiple of kDataAlignment.
std::string MakeHeader(const std::string& file, const std::vector<NamedTensor>& tensors,
                       const std::vector<size_t>& data_order, const std::map<std::string, std::string>& metadata) {
  std::vector<std::string> members;
  if (!metadata.empty()) {
    std::vector<std::string> pairs;
    for (const auto& [key, value] : metadata) {
      pairs.push_back(fmt::format("{}:{}", JsonString(file, key), JsonString(file, value)));
    }
    members.push_back(fmt::format("\"__metadata__\":{{{}}}", fmt::join(pairs, ",")));
  }
  std::vector<uint64_t> begins(tensors.size());
  uint64_t end = 0;
  for (size_t i : data_order) {
    begins[i] = end;
    end += BytesOf(tensors[i].tensor);
  }
  for (size_t i = 0; i < tensors.size(); ++i) {
    const auto& [name, tensor] = tensors[i];
    members.push_back(fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                                  JsonString(file, name), internal::SafetensorsNameOf(tensor.dtype()),
                                  fmt::join(tensor.shape(), ","), begins[i], begins[i] + BytesOf(tensor)));
  }
  std::string header = fmt::format("{{{}}}", fmt::join(members, ","));
  const uint64_t unpadded = kLengthBytes + header.size();
  header.append((kDataAlignment - unpadded % kDataAlignment) % kDataAlignment, ' ');
  if (header.size() > internal::kMaxSafetensorsHeaderBytes) {
    throw Error(fmt::format("{}: the header would have {} bytes, the format allows {}", file, header.size(),
                            internal::kMaxSafetensorsHeaderBytes));
  }
  return header;
}

bool IsPrintable(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isprint(c) != 0 || std::isspace(c) != 0; });
}

}  // namespace

const Tensor* SafetensorsFile::Find(std::string_view name) const {
  for (const NamedTensor& named : tensors) {
    if (named.name == name) return &named.tensor;
  }
  return nullptr;
}

std::string Describe(const SkippedTensor& tensor) {
  const std::string shape = fmt::format("[{}]", fmt::join(tensor.shape, ", "));
  if (internal::SafetensorsBitsOf(tensor.dtype)) return fmt::format("dtype {} {}", tensor.dtype, shape);
  return fmt::format("unknown dtype {} {}", QuoteForMessage(tensor.dtype), shape);
}

void SaveSafetensors(FileSystem& file_system, const std::filesystem::path& path,
                     const std::vector<NamedTensor>& tensors, const std::map<std::string, std::string>& metadata) {
  CheckSavable(path.string(), tensors);
  const std::vector<size_t> data_order = DataOrder(tensors);
  const std::string header = MakeHeader(path.string(), tensors, data_order, metadata);
  const uint64_t length = header.size();
  std::vector<std::span<const std::byte>> pieces = {std::as_bytes(std::span(&length, 1)),
                                                    std::as_bytes(std::span(header))};
  for (size_t i : data_order) pieces.emplace_back(tensors[i].tensor.raw(), BytesOf(tensors[i].tensor));
  WriteFileAtomically(file_system, path, pieces);
}

SafetensorsFile LoadSafetensors(FileSystem& file_system, const std::filesystem::path& path) {
  return ParseSafetensors(file_system.ReadFile(path, kMaxFileBytes), path.string());
}

SafetensorsFile ParseSafetensors(std::span<const std::byte> bytes, const std::string& source_name) {
  Source source{source_name, {}};
  // A header's length might look like a signature, but no signature is followed by a header.
  const bool has_header = bytes.size() > kLengthBytes && bytes[kLengthBytes] == std::byte{'{'};
  if (const std::string_view format = WellKnownFormat(bytes); !has_header && !format.empty()) {
    source.Fail(fmt::format("{}, expected a safetensors file", format));
  }
  if (bytes.size() < kLengthBytes) {
    source.Fail(fmt::format("truncated: file holds {} bytes, the length of the header alone takes {}", bytes.size(),
                            kLengthBytes));
  }
  constexpr size_t kStart = 24;
  const std::string_view start(reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), kStart));
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), kLengthBytes);
  bytes = bytes.subspan(kLengthBytes);
  if (header_bytes > internal::kMaxSafetensorsHeaderBytes) {
    if (IsPrintable(start)) {
      source.Fail(fmt::format("not a safetensors file: text that begins with {}", internal::QuoteForMessage(start)));
    }
    source.Fail(fmt::format("not a safetensors file: a header of {} bytes, the format allows {}", header_bytes,
                            internal::kMaxSafetensorsHeaderBytes));
  }
  if (header_bytes > bytes.size()) {
    source.Fail(fmt::format("truncated: file says {} bytes of header and holds {}", header_bytes, bytes.size()));
  }
  const std::string_view json(reinterpret_cast<const char*>(bytes.data()), header_bytes);
  internal::SafetensorsHeader header = internal::ParseSafetensorsHeader(json, source_name);
  source.data = bytes.subspan(header_bytes);
  for (const SafetensorsEntry& entry : header.entries) CheckEntry(source, entry);
  CheckTiling(source, header.entries);

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
