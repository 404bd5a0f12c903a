#include "twofour/train/data/plain_text.h"

#include <fmt/format.h>

#include <cstring>
#include <span>
#include <string_view>

#include "twofour/core/error.h"
#include "twofour/core/io/text.h"
#include "twofour/train/data/file_format.h"
#include "twofour/train/data/token_header.h"

namespace twofour::train {

std::string ReadPlainText(FileSystem& files, const std::filesystem::path& path, uint64_t max_bytes) {
  std::string text = ReadText(files, path, max_bytes);
  const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
  const std::string_view format = WellKnownFormat(bytes);
  if (!format.empty() && !LooksLikeText(bytes)) {
    throw Error(fmt::format("{}: {}, expected a text", path.string(), format));
  }
  int32_t number = 0;
  if (text.size() >= sizeof(number)) std::memcpy(&number, text.data(), sizeof(number));
  if (number == TokenFileHeader(0)[0]) throw Error(fmt::format("{}: token ids, expected a text", path.string()));
  return text;
}

}  // namespace twofour::train
