#include "twofour/comm/rank_timeout.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <string_view>

#include "twofour/core/error.h"
#include "twofour/core/quote_for_message.h"

namespace twofour::comm {

double RankTimeoutSeconds() {
  const char* const value = std::getenv("TWOFOUR_RANK_TIMEOUT");
  const std::string_view text = value == nullptr ? "" : value;
  if (text.empty()) return 300;
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  if (is_number && seconds > 0 && seconds <= kMostTimeoutSeconds) return seconds;
  throw Error(fmt::format("TWOFOUR_RANK_TIMEOUT is {}, expected a number of seconds above 0, at most {:g}",
                          QuoteForMessage(text), kMostTimeoutSeconds));
}

}  // namespace twofour::comm
