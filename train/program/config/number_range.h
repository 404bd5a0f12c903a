#pragma once

#include <optional>
#include <string>

namespace twofour::train {

/// A number in protobuf text that is too large or too small for a 64-bit float. Protobuf's parser would read 1e-400 as
/// 0 and 1e400 as infinity.
struct NumberOutOfRange {
  int line = 0, column = 0;  ///< As the parser counts them.
  std::string message;       ///< "found 1e-400, expected 0 or a number from 4.9e-324 to 1.8e+308"
};

/// The first such number in a text that is known to parse.
std::optional<NumberOutOfRange> FindNumberOutOfRange(const std::string& text);

}  // namespace twofour::train
