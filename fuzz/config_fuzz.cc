#include <cstddef>
#include <cstdint>
#include <string>

#include "twofour/core/error.h"
#include "twofour/train/config/overrides.h"
#include "twofour/train/config/text_config.h"
#include "twofour/train/config/validate.h"

/// Any text is a config or an Error; what parses can be overridden, spelled out, printed and read back. Text after a
/// NUL byte is taken as a --set.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace twofour::train;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const size_t end = text.find('\0');
  try {
    proto::Config config = ParseTextConfig(text.substr(0, end), "fuzz");
    if (end != std::string::npos) ApplyOverride(config, text.substr(end + 1));
    config = WithDefaults(config);
    ParseTextConfig(ToText(config), "printed");
    ValidateConfig(config);
  } catch (const twofour::Error&) {
  }
  return 0;
}
