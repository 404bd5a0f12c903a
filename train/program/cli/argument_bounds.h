#pragma once

#include <cstdint>
#include <limits>
#include <string>

namespace twofour::train {

/// What a number on the command line is held to.
struct ArgumentBounds {
  bool whole = true;
  int64_t low = std::numeric_limits<int64_t>::min();  ///< Of a whole number, ...
  uint64_t high = std::numeric_limits<int64_t>::max();
  double lowest = std::numeric_limits<double>::lowest();  ///< ... and of any other.
  double highest = std::numeric_limits<double>::max();
};

/// "-1, expected a whole number from 0 to 9": what is wrong with a text; empty where nothing is.
std::string FaultOf(const std::string& text, const ArgumentBounds& bounds);

}  // namespace twofour::train
