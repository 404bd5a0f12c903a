#include "twofour/sparse/budget_mask.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
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

/// The value at place `rank` if the values were sorted, and how many before it are equal to it. Values are not
/// negative, so their bits rise with them: a first pass counts by the upper half of the bits, and a second one by the
/// lower half of those that have the right upper half.
struct RankedValue {
  float value = 0;
  int64_t equal_before = 0;
};
RankedValue ValueOfRank(std::span<const float> values, int64_t rank) {
  constexpr size_t kBuckets = size_t{1} << 16;
  std::vector<int64_t> counts(kBuckets);
  const auto take = [&](uint32_t& bits) {
    for (size_t bucket = 0;; ++bucket) {
      if (rank < counts[bucket]) {
        bits = bits << 16 | static_cast<uint32_t>(bucket);
        return;
      }
      rank -= counts[bucket];
    }
  };
  uint32_t bits = 0;
  for (const float value : values) ++counts[std::bit_cast<uint32_t>(value) >> 16];
  take(bits);
  std::ranges::fill(counts, 0);
  for (const float value : values) {
    if (const auto of_value = std::bit_cast<uint32_t>(value); of_value >> 16 == bits) ++counts[of_value & 0xffff];
  }
  take(bits);
  return {std::bit_cast<float>(bits), rank};
}

/// Sets kept[i] to whether value i is among those that stay when the `dropped` smallest go; of equal ones the last go
/// first. No value is negative.
void KeepLargest(std::span<const float> values, int64_t dropped, bool* kept) {
  if (dropped <= 0) {
    std::fill_n(kept, values.size(), true);
    return;
  }
  const RankedValue last = ValueOfRank(values, dropped - 1);
  for (size_t i = 0; i < values.size(); ++i) kept[i] = values[i] >= last.value;
  int64_t equal = last.equal_before + 1;
  for (size_t i = values.size(); equal > 0;) {
    --i;
    if (values[i] != last.value) continue;
    kept[i] = false;
    --equal;
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

  BlockSize block;
  int64_t rows, cols, down, across, first;
};

/// The mean of |score| over each block of a matrix.
void MeansOfBlocks(const Tensor& scores, const Grid& grid, float* means) {
  const float* const from = scores.data<float>();
  const BlockSize& block = grid.block;
  if (block.rows * block.cols == 1) {
    std::transform(from, from + scores.numel(), means, [](float score) { return std::fabs(score); });
    return;
  }
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

/// The mask of a matrix whose blocks are kept as `kept` says.
Mask MaskOf(const Grid& grid, const bool* kept) {
  Tensor entries = Tensor::Empty({grid.rows, grid.cols}, DType::kBool);
  bool* const to = entries.mutable_data<bool>();
  ParallelFor(grid.rows, RowGrain(grid.cols), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const bool* const of_row = kept + row / grid.block.rows * grid.across;
      for (int64_t block = 0; block < grid.across; ++block) {
        const int64_t left = block * grid.block.cols;
        std::fill(to + row * grid.cols + left, to + row * grid.cols + std::min(left + grid.block.cols, grid.cols),
                  of_row[block]);
      }
    }
  });
  return Mask::FromTensor(entries);
}

void RequireCount(int64_t dropped, int64_t count, std::string_view name) {
  if (dropped >= 0 && dropped <= count) return;
  throw Error(fmt::format("{}: {} to drop, expected 0 to {}", name, dropped, count));
}

/// Masks that together drop count(all blocks) blocks.
template <typename Count>
std::vector<Mask> MasksOfCount(std::span<const NamedScores> matrices, BlockSize block, const Count& count) {
  std::vector<Grid> grids;
  int64_t blocks = 0;
  for (const NamedScores& matrix : matrices) {
    RequireScores(matrix.scores, matrix.name);
    blocks += grids.emplace_back(matrix.scores, block, blocks).count();
  }
  const int64_t dropped = count(blocks);
  if (!matrices.empty()) RequireCount(dropped, blocks, matrices.front().name);
  std::vector<float> means(static_cast<size_t>(blocks));
  for (size_t i = 0; i < grids.size(); ++i) MeansOfBlocks(matrices[i].scores, grids[i], means.data() + grids[i].first);
  Tensor kept = Tensor::Empty({blocks}, DType::kBool);
  KeepLargest(means, dropped, kept.mutable_data<bool>());
  std::vector<Mask> masks;
  for (const Grid& grid : grids) masks.push_back(MaskOf(grid, kept.data<bool>() + grid.first));
  return masks;
}

}  // namespace

int64_t CountDropped(double sparsity, int64_t count) { return std::llround(sparsity * static_cast<double>(count)); }

std::vector<Mask> FindBudgetMasks(std::span<const NamedScores> matrices, BlockSize block, double sparsity) {
  return MasksOfCount(matrices, block, [sparsity](int64_t blocks) { return CountDropped(sparsity, blocks); });
}

Mask FindBudgetMask(const Tensor& scores, BlockSize block, double sparsity, std::string_view name) {
  const NamedScores named{.name = std::string(name), .scores = scores};
  return std::move(FindBudgetMasks(std::span(&named, 1), block, sparsity).front());
}

Mask FindBudgetMaskOfCount(const Tensor& scores, BlockSize block, int64_t dropped, std::string_view name) {
  const NamedScores named{.name = std::string(name), .scores = scores};
  return std::move(MasksOfCount(std::span(&named, 1), block, [=](int64_t /*blocks*/) { return dropped; }).front());
}

Mask FindRowBudgetMask(const Tensor& scores, double sparsity, std::string_view name) {
  RequireScores(scores, name);
  return FindRowBudgetMaskOfCount(scores, CountDropped(sparsity, scores.dim(1)), name);
}

Mask FindRowBudgetMaskOfCount(const Tensor& scores, int64_t dropped, std::string_view name) {
  RequireScores(scores, name);
  const int64_t rows = scores.dim(0), cols = scores.dim(1);
  RequireCount(dropped, cols, name);
  const float* const from = scores.data<float>();
  Tensor kept = Tensor::Empty(scores.shape(), DType::kBool);
  bool* const to = kept.mutable_data<bool>();
  ParallelFor(rows, RowGrain(cols), [&](int64_t begin, int64_t end) {
    std::vector<std::pair<float, int64_t>> order(static_cast<size_t>(cols));
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t col = 0; col < cols; ++col) {
        order[static_cast<size_t>(col)] = {std::fabs(from[row * cols + col]), -col};
      }
      // A row is too short for counting by bits.
      std::nth_element(order.begin(), order.begin() + dropped, order.end());
      std::fill_n(to + row * cols, cols, true);
      for (int64_t i = 0; i < dropped; ++i) to[row * cols - order[static_cast<size_t>(i)].second] = false;
    }
  });
  return Mask::FromTensor(kept);
}

}  // namespace twofour::sparse
