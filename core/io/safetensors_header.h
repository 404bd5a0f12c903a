#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace twofour::internal {

/// The format's own limit on the length of the JSON header.
inline constexpr uint64_t kMaxSafetensorsHeaderBytes = 100'000'000;

/// One tensor as the header describes it; only the JSON types are checked.
struct SafetensorsEntry {
  std::string name;
  std::string dtype;
  std::vector<uint64_t> shape;
  uint64_t begin = 0;  ///< First byte, counted from the end of the header.
  uint64_t end = 0;    ///< One past the last byte.
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  ///< In the order of the text.
  std::map<std::string, std::string> metadata;
};

/// Parses the JSON header of a safetensors file without building a JSON tree. Throws Error, starting with
/// `source_name`, on anything but an object of tensors, each with dtype, shape and data_offsets once, and at most one
/// "__metadata__", which is an object of strings or null. Other keys of a tensor are skipped, at most 128 levels deep.
/// Nesting elsewhere is refused where it opens.
SafetensorsHeader ParseSafetensorsHeader(std::string_view json, const std::string& source_name);

}  // namespace twofour::internal
