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

}  // namespace

std::optional<std::string> WhyOverBudget(const Mask& mask, const PruningPattern& pattern) {
  assert(pattern.has_budget());
  const MaskView view = mask.view();
  const int64_t rows = mask.rows(), cols = mask.cols();
  if (pattern.format.kind == MaskFormat::Kind::kBlocks) {
    const int64_t across = CeilDiv(cols, int64_t{pattern.format.block_cols}),
                  down = CeilDiv(rows, int64_t{pattern.format.block_rows});
    std::vector<bool> kept(static_cast<size_t>(across * down));
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t col = 0; col < cols; ++col) {
        if (!view.Keeps(row, col)) continue;
        kept[static_cast<size_t>(row / pattern.format.block_rows * across + col / pattern.format.block_cols)] = true;
      }
    }
    return WhyMore(std::ranges::count(kept, true), across * down, pattern.sparsity, "blocks");
  }
  if (pattern.scope == PruningScope::kRow) {
    return WhyMore(MostInARow(view, rows, cols), cols, pattern.sparsity, "entries of a row");
  }
  return WhyMore(mask.CountKept(), rows * cols, pattern.sparsity, "entries");
}

}  // namespace twofour::sparse
