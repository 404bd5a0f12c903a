#include "twofour/core/quote_for_message.h"

#include <fmt/format.h>

namespace twofour {

std::string QuoteForMessage(std::string_view text) {
  constexpr size_t kMaxShown = 200;
  std::string quoted = "'";
  for (const char character : text.substr(0, kMaxShown)) {
    const auto code = static_cast<unsigned char>(character);
    if (code < 0x20 || code == 0x7f) {
      quoted += fmt::format("\\x{:02x}", code);
    } else {
      quoted += character;
    }
  }
  return quoted + (text.size() > kMaxShown ? "...'" : "'");
}

}  // namespace twofour
