#include "twofour/core/io/text.h"

#include <fmt/format.h>

#include <span>
#include <string_view>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/file_format.h"

namespace twofour {

std::string ReadText(FileSystem& files, const std::filesystem::path& path, uint64_t max_bytes) {
  const std::vector<std::byte> bytes = files.ReadFile(path, max_bytes);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string ReadOwnText(FileSystem& files, const std::filesystem::path& path, uint64_t max_bytes) {
  std::string text = ReadText(files, path, max_bytes);
  if (const std::string_view format = WellKnownFormat(std::as_bytes(std::span(text))); !format.empty()) {
    throw Error(fmt::format("{}: {}, expected what twofour wrote there", path.string(), format));
  }
  return text;
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
