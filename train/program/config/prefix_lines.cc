#include "twofour/train/program/config/prefix_lines.h"

namespace twofour::train {

std::string PrefixLines(const std::string& prefix, const std::string& message) {
  std::string lines = prefix + ": ";
  for (const char c : message) {
    lines += c;
    if (c == '\n') lines += prefix + ": ";
  }
  return lines;
}

}  // namespace twofour::train
