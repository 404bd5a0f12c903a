#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace twofour::test {

inline void WriteTextFile(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

/// The whole file; empty if there is none.
inline std::string ReadTextFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace twofour::test
