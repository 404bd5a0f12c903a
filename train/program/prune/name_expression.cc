#include "twofour/train/program/prune/name_expression.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>

namespace twofour::train {

std::string ExcludeAlso(const std::string& exclude, const std::vector<std::string>& names) {
  if (names.empty()) return exclude;
  std::vector<std::string> all;
  if (!exclude.empty()) all.push_back(fmt::format("({})", exclude));
  for (const std::string& name : names) {
    std::string& escaped = all.emplace_back();
    for (const char c : name) {
      if (std::string_view(R"(\^$.|?*+()[]{})").find(c) != std::string_view::npos) escaped += '\\';
      escaped += c;
    }
  }
  return fmt::format("{}", fmt::join(all, "|"));
}

}  // namespace twofour::train
