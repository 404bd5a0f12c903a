#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace twofour::test {

/// A safetensors file put together by hand from the format's description: 8-byte length, header, data.
inline std::vector<std::byte> SafetensorsBytes(std::string_view header, std::string_view data) {
  std::string text;
  for (int byte = 0; byte < 8; ++byte) {
    text += static_cast<char>(static_cast<uint64_t>(header.size()) >> (8 * byte) & 0xff);
  }
  text += header;
  text += data;
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

}  // namespace twofour::test
