#pragma once

#include <optional>
#include <string>

namespace twofour::train {

/// A number in protobuf text whose size no 64-bit float has: protobuf's parser takes 1e-400 for 0 and 1e400 for
/// infinity.
struct NumberOutOfRange {
  int line = 0, column = 0;  ///< As the parser counts them.
  std::string message;       ///< "found 1e-400, expected 0 or a number from 4.9e-324 to 1.8e+308"
};

/// The first of them in text that parses.
std::optional<NumberOutOfRange> FindNumberOutOfRange(const std::string& text);

}  // namespace twofour::train
