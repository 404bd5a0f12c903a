#include "twofour/core/io/text.h"

#include <span>
#include <vector>

namespace twofour {

std::string ReadText(FileSystem& files, const std::filesystem::path& path, uint64_t max_bytes) {
  const std::vector<std::byte> bytes = files.ReadFile(path, max_bytes);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void WriteText(FileSystem& files, const std::filesystem::path& path, const std::string& text) {
  const std::span<const std::byte> piece = std::as_bytes(std::span<const char>(text));
  files.WriteFile(path, std::span(&piece, 1));
}

void WriteTextAtomically(FileSystem& files, const std::filesystem::path& path, const std::string& text) {
  const std::span<const std::byte> piece = std::as_bytes(std::span<const char>(text));
  WriteFileAtomically(files, path, std::span(&piece, 1));
}

}  // namespace twofour
