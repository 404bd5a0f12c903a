#include "twofour/train/program/prune/aligned_columns.h"

#include <fmt/format.h>

#include <algorithm>

namespace twofour::train {

std::string AlignedColumns(const std::vector<std::vector<std::string>>& rows, size_t words) {
  std::vector<size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      text += i == 0 ? "" : "  ";
      text += i < words ? fmt::format("{:<{}}", row[i], widths[i]) : fmt::format("{:>{}}", row[i], widths[i]);
    }
    text += "\n";
  }
  return text;
}

}  // namespace twofour::train
