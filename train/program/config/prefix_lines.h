#pragma once

#include <string>

namespace twofour::train {

/// A message with "prefix: " before each of its lines. A message may hold several faults, one a line.
std::string PrefixLines(const std::string& prefix, const std::string& message);

}  // namespace twofour::train
