#pragma once

#include <string>
#include <string_view>

namespace twofour {

/// "'a.weight'": a name from outside, fit for a one-line message. Control characters are escaped, long names cut.
std::string QuoteForMessage(std::string_view text);

}  // namespace twofour
