#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/train/program/config/text_message.h"
#include "twofour/train/program/exchange/name_map.h"

/// Any text must be a map of names, or give an Error. Each tensor becomes at least one parameter, or is left out.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace twofour::train;
  try {
    proto::NameMap map;
    ParseTextMessage(std::string(reinterpret_cast<const char*>(data), size), "map", map);
    const std::vector<std::string> names = {"h.0.b", "h.1.w", "wte", ""};
    const MappedNames mapped = ApplyNameMap(map, names, "map");
    assert(mapped.matches.size() + mapped.skipped.size() == names.size());
    for (const TensorMatch& match : mapped.matches) assert(!match.ours.empty());
  } catch (const twofour::Error&) {
  }
  return 0;
}
