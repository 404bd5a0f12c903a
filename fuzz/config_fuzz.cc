#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/train/program/config/override_list.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/validate.h"

namespace {

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace

/// Any text must be a config or give an Error. A config that parses can be overridden, spelled out, printed and read
/// back. Text after a NUL byte is a list of --set, one in each line.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace twofour::train;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const size_t end = text.find('\0');
  try {
    proto::Config config = ParseTextConfig(text.substr(0, end), "fuzz");
    if (end != std::string::npos) ApplyOverrides(config, Lines(text.substr(end + 1)));
    config = WithDefaults(config);
    ParseTextConfig(ToText(config), "printed");
    ValidateConfig(config);
  } catch (const twofour::Error&) {
  }
  return 0;
}
