#include "twofour/sparse/budget_mask.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "twofour/core/ceil_div.h"
#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/finite_weight.h"

namespace twofour::sparse {
namespace {

void RequireScores(const Tensor& scores, std::string_view name) {
  ops::RequireDType("FindBudgetMask", name, scores, DType::kF32);
  if (scores.rank() != 2) {
    throw Error(fmt::format("{}: shape {}, a mask needs [rows, cols]", name, ToString(scores.shape())));
  }
  RequireFinite(scores, name);
}

/// Sets kept[i] to whether value i is among those that stay when the `dropped` smallest go; of equal ones the last go
/// first.
void KeepLargest(std::span<const float> values, int64_t dropped, bool* kept) {
  std::fill_n(kept, values.size(), true);
  if (dropped <= 0) return;
  std::vector<float> sorted(values.begin(), values.end());
  const auto last_dropped = sorted.begin() + (dropped - 1);
  std::nth_element(sorted.begin(), last_dropped, sorted.end());
  const float threshold = *last_dropped;
  // Those before it are not larger, and there may be some of the same size on either side of it.
  int64_t equal = dropped - std::count_if(sorted.begin(), last_dropped, [&](float value) { return value < threshold; });
  for (size_t i = values.size(); i-- > 0;) {
    if (values[i] < threshold) kept[i] = false;
    if (values[i] == threshold && equal > 0) {
      kept[i] = false;
      --equal;
    }
  }
}

/// How the blocks of one matrix lie in the list of all.
struct Grid {
  Grid(const Tensor& scores, BlockSize size, int64_t begin)
      : block(size),
        rows(scores.dim(0)),
        cols(scores.dim(1)),
        down(CeilDiv(rows, size.rows)),
        across(CeilDiv(cols, size.cols)),
        first(begin) {}

  int64_t count() const { return down * across; }
  int64_t BlockOf(int64_t row, int64_t col) const { return row / block.rows * across + col / block.cols; }

  BlockSize block;
  int64_t rows, cols, down, across, first;
};

/// The mean of |score| over each block of a matrix.
void MeansOfBlocks(const Tensor& scores, const Grid& grid, float* means) {
  const float* const from = scores.data<float>();
  const BlockSize& block = grid.block;
  ParallelFor(grid.down, RowGrain(grid.cols * block.rows), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t top = i * block.rows, bottom = std::min(top + block.rows, grid.rows);
      for (int64_t j = 0; j < grid.across; ++j) {
        const int64_t left = j * block.cols, right = std::min(left + block.cols, grid.cols);
        double sum = 0;
        for (int64_t row = top; row < bottom; ++row) {
          for (int64_t col = left; col < right; ++col) sum += std::fabs(from[row * grid.cols + col]);
        }
        means[i * grid.across + j] = static_cast<float>(sum / static_cast<double>((bottom - top) * (right - left)));
      }
    }
  });
}

/// The mask that keeps the entries for which keeps(row, col) is true.
template <typename Keeps>
Mask MaskOf(int64_t rows, int64_t cols, const Keeps& keeps) {
  Mask mask(rows, cols);
  ParallelFor(mask.tile_rows(), RowGrain(cols * kTileSize), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin * kTileSize; row < std::min(rows, end * kTileSize); ++row) {
      TileMask* const tiles = mask.tiles() + row / kTileSize * mask.tile_cols();
      for (int64_t col = 0; col < cols; ++col) {
        const unsigned bit = keeps(row, col) ? 1u << (row % kTileSize * kTileSize + col % kTileSize) : 0u;
        tiles[col / kTileSize] = static_cast<TileMask>(tiles[col / kTileSize] | bit);
      }
    }
  });
  return mask;
}

}  // namespace

int64_t CountDropped(double sparsity, int64_t count) { return std::llround(sparsity * static_cast<double>(count)); }

std::vector<Mask> FindBudgetMasks(std::span<const NamedScores> matrices, BlockSize block, double sparsity) {
  std::vector<Grid> grids;
  int64_t blocks = 0;
  for (const NamedScores& matrix : matrices) {
    RequireScores(matrix.scores, matrix.name);
    blocks += grids.emplace_back(matrix.scores, block, blocks).count();
  }
  std::vector<float> means(static_cast<size_t>(blocks));
  for (size_t i = 0; i < grids.size(); ++i) MeansOfBlocks(matrices[i].scores, grids[i], means.data() + grids[i].first);
  const auto kept = std::make_unique<bool[]>(means.size());
  KeepLargest(means, CountDropped(sparsity, blocks), kept.get());
  std::vector<Mask> masks;
  for (const Grid& grid : grids) {
    const bool* const of_grid = kept.get() + grid.first;
    masks.push_back(
        MaskOf(grid.rows, grid.cols, [&](int64_t row, int64_t col) { return of_grid[grid.BlockOf(row, col)]; }));
  }
  return masks;
}

Mask FindBudgetMask(const Tensor& scores, BlockSize block, double sparsity, std::string_view name) {
  const NamedScores named{.name = std::string(name), .scores = scores};
  return std::move(FindBudgetMasks(std::span(&named, 1), block, sparsity).front());
}

Mask FindRowBudgetMask(const Tensor& scores, double sparsity, std::string_view name) {
  RequireScores(scores, name);
  const int64_t rows = scores.dim(0), cols = scores.dim(1), dropped = CountDropped(sparsity, cols);
  const float* const from = scores.data<float>();
  const auto kept = std::make_unique<bool[]>(static_cast<size_t>(scores.numel()));
  ParallelFor(rows, RowGrain(cols), [&](int64_t begin, int64_t end) {
    std::vector<float> magnitudes(static_cast<size_t>(cols));
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t col = 0; col < cols; ++col) magnitudes[static_cast<size_t>(col)] = std::fabs(from[row * cols + col]);
      KeepLargest(magnitudes, dropped, kept.get() + row * cols);
    }
  });
  return MaskOf(rows, cols, [&](int64_t row, int64_t col) { return kept[static_cast<size_t>(row * cols + col)]; });
}

}  // namespace twofour::sparse
