#pragma once

#include <cstdint>
#include <limits>
#include <string>

namespace twofour::train {

/// The range of a number on the command line.
struct ArgumentBounds {
  bool whole = true;
  int64_t low = std::numeric_limits<int64_t>::min();  ///< low and high apply to whole numbers, ...
  uint64_t high = std::numeric_limits<int64_t>::max();
  double lowest = std::numeric_limits<double>::lowest();  ///< ... lowest and highest to others.
  double highest = std::numeric_limits<double>::max();
};

/// Says what is wrong with a text: "-1, expected a whole number from 0 to 9". Empty if nothing is wrong.
std::string FaultOf(const std::string& text, const ArgumentBounds& bounds);

}  // namespace twofour::train
