#include <cassert>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "twofour/core/error.h"
#include "twofour/core/io/safetensors_shards.h"

/// Any text must be an index of shards, or give an Error. The files that it names can only be beside it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const auto& [tensor, file] : twofour::ParseShardIndex(text, "index")) {
      assert(file.find('/') == std::string::npos && file.find('\0') == std::string::npos && file[0] != '.');
    }
  } catch (const twofour::Error&) {
  }
  return 0;
}
