#include "twofour/core/processor_name.h"

#include <fstream>

namespace twofour {

std::string ProcessorName(const std::string& cpuinfo) {
  constexpr const char* kBlanks = " \t";
  std::ifstream file(cpuinfo);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("model name")) continue;
    const size_t colon = line.find(':');
    const size_t begin = colon == std::string::npos ? colon : line.find_first_not_of(kBlanks, colon + 1);
    if (begin == std::string::npos) continue;
    return line.substr(begin, line.find_last_not_of(kBlanks) + 1 - begin);
  }
  return "unknown processor";
}

}  // namespace twofour
