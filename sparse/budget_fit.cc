#include "twofour/sparse/budget_fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <vector>

#include "twofour/core/ceil_div.h"
#include "twofour/sparse/budget_mask.h"

namespace twofour::sparse {
namespace {

std::optional<std::string> WhyMore(int64_t kept, int64_t count, double sparsity, const char* of) {
  const int64_t planned = count - CountDropped(sparsity, count);
  if (kept <= planned) return std::nullopt;
  return fmt::format("keeps {} of {} {}, the plan {}", kept, count, of, planned);
}

int64_t MostInARow(const MaskView& mask, int64_t rows, int64_t cols) {
  int64_t most = 0;
  for (int64_t row = 0; row < rows; ++row) {
    int64_t kept = 0;
    for (int64_t col = 0; col < cols; ++col) kept += mask.Keeps(row, col) ? 1 : 0;
    most = std::max(most, kept);
  }
  return most;
}

BudgetParts CountBlocks(const Mask& mask, int64_t block_rows, int64_t block_cols) {
  const MaskView view = mask.view();
  const int64_t across = CeilDiv(mask.cols(), block_cols), down = CeilDiv(mask.rows(), block_rows);
  std::vector<bool> kept(static_cast<size_t>(across * down));
  for (int64_t row = 0; row < mask.rows(); ++row) {
    for (int64_t col = 0; col < mask.cols(); ++col) {
      if (view.Keeps(row, col)) kept[static_cast<size_t>(row / block_rows * across + col / block_cols)] = true;
    }
  }
  return {std::ranges::count(kept, true), across * down};
}

}  // namespace

BudgetParts CountParts(const Mask& mask, const PruningPattern& pattern) {
  assert(pattern.has_budget());
  const MaskFormat& format = pattern.format;
  if (format.kind == MaskFormat::Kind::kBlocks) return CountBlocks(mask, format.block_rows, format.block_cols);
  return {mask.CountKept(), mask.rows() * mask.cols()};
}

std::optional<std::string> WhyOverBudget(const Mask& mask, const PruningPattern& pattern) {
  assert(pattern.has_budget());
  if (pattern.scope == PruningScope::kRow) {
    return WhyMore(MostInARow(mask.view(), mask.rows(), mask.cols()), mask.cols(), pattern.sparsity,
                   "entries of a row");
  }
  const auto [kept, count] = CountParts(mask, pattern);
  return WhyMore(kept, count, pattern.sparsity,
                 pattern.format.kind == MaskFormat::Kind::kBlocks ? "blocks" : "entries");
}

double SpentBy(const Mask& mask, const PruningPattern& pattern) {
  const auto [kept, count] = CountParts(mask, pattern);
  return count == 0 ? 0 : static_cast<double>(count - kept) / static_cast<double>(count);
}

}  // namespace twofour::sparse
