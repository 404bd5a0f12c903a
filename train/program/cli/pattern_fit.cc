#include "twofour/train/program/cli/pattern_fit.h"

#include <fmt/format.h>

#include <utility>

namespace twofour::train {
namespace {

/// Rows and columns of what a pattern chooses within.
std::pair<int64_t, int64_t> UnitOf(const sparse::MaskFormat& format) {
  using Kind = sparse::MaskFormat::Kind;
  if (format.is_vnm()) return {format.v, format.m};
  if (format.kind == Kind::kTransposable) return {4, 4};
  if (format.kind == Kind::kRows) return {1, format.m};
  if (format.kind == Kind::kBlocks) return {format.block_rows, format.block_cols};
  return {1, 1};
}

}  // namespace

std::string WhyShapeDoesNotFit(const sparse::PruningPattern& pattern, int64_t out_features, int64_t in_features) {
  const auto [rows, cols] = UnitOf(pattern.format);
  if (out_features < rows || in_features < cols) {
    return fmt::format("it chooses within {} x {} entries, and the weight has {} x {}", rows, cols, out_features,
                       in_features);
  }
  const int64_t unit = pattern.format.size_unit();
  if (out_features % unit != 0 || in_features % unit != 0) {
    return fmt::format("both sizes have to be multiples of {}", unit);
  }
  return "";
}

}  // namespace twofour::train
