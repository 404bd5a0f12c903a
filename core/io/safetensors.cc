#include "twofour/core/io/safetensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <unordered_set>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/io/json.h"
#include "twofour/core/io/safetensors_header.h"
#include "twofour/core/io/safetensors_types.h"
#include "twofour/core/quote_for_message.h"

namespace twofour {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors files hold little-endian elements");

constexpr uint64_t kLengthBytes = sizeof(uint64_t);
constexpr uint64_t kDataAlignment = 64;  // Alignment of the first array in the file: a cache line.

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
                                  JsonString(file, name), InfoOf(tensor.dtype()).safetensors_name,
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

}  // namespace twofour
