#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/io/file_system.h"

namespace twofour::train {

inline std::vector<std::byte> ToBytes(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
  return {bytes.begin(), bytes.end()};
}

/// Writes a file and returns its path.
inline std::string WriteTestFile(const std::filesystem::path& path, std::string_view contents) {
  const std::span<const std::byte> piece = std::as_bytes(std::span(contents.data(), contents.size()));
  FileSystem::Default().WriteFile(path, {&piece, 1});
  return path.string();
}

}  // namespace twofour::train
