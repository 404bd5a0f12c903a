#include <algorithm>
#include <cstddef>
#include <vector>

#include "twofour/core/ceil_div.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/permutation/block_choice.h"
#include "twofour/sparse/permutation/pattern_mask.h"
#include "twofour/sparse/permutation/swap_gains.h"
#include "twofour/sparse/permutation/tile_worth.h"

namespace twofour::sparse {
namespace {

/// The channels that may change places, [rows, holes], and zeros up to whole tiles.
std::vector<float> GatherColumns(const ScoreMatrix& scores, std::span<const int64_t> holes) {
  std::vector<float> gathered(static_cast<size_t>(RoundUp(scores.rows, kTileSize)) * holes.size());
  float* to = gathered.data();
  for (int64_t row = 0; row < scores.rows; ++row) {
    for (const int64_t hole : holes) *to++ = scores.data[row * scores.cols + hole];
  }
  return gathered;
}

/// The sums of each column in each block of v rows, [blocks, cols], in the order of VnmColumns::Choose.
std::vector<float> BlockSums(const ScoreMatrix& scores, int64_t v) {
  std::vector<float> sums(static_cast<size_t>(CeilDiv(scores.rows, v) * scores.cols));
  for (int64_t row = 0; row < scores.rows; ++row) {
    float* const to = sums.data() + row / v * scores.cols;
    const float* const from = scores.data + row * scores.cols;
    for (int64_t col = 0; col < scores.cols; ++col) to[col] += from[col];
  }
  return sums;
}

/// The first three columns of the choice in the tile at `row`, with zeros where the matrix ends.
void LoadThree(const ScoreMatrix& scores, int64_t row, const BlockChoice& choice, ThreeColumns& three) {
  for (int r = 0; r < kTileSize; ++r) {
    for (int i = 0; i < 3; ++i) {
      const bool inside = row + r < scores.rows && i < choice.count();
      three[r][i] = inside ? scores.data[(row + r) * scores.cols + choice.column(i)] : 0.0f;
    }
  }
}

/// The same of the fourth.
void LoadFourth(const ScoreMatrix& scores, int64_t row, const BlockChoice& choice, float (&fourth)[kTileSize]) {
  for (int r = 0; r < kTileSize; ++r) {
    const bool inside = row + r < scores.rows && choice.count() == BlockChoice::kSize;
    fourth[r] = inside ? scores.data[(row + r) * scores.cols + choice.column(3)] : 0.0f;
  }
}

}  // namespace

void AddColumnGains(const ScoreMatrix& scores, const VnmPattern& pattern, std::span<const int64_t> holes, double factor,
                    std::span<double> gains) {
  const auto count = static_cast<int64_t>(holes.size());
  // Without a choice of columns, blocks of any height keep the same.
  const int64_t v = IsPlain(pattern) ? VnmPattern().v : pattern.v;
  const std::vector<float> gathered = GatherColumns(scores, holes), sums = BlockSums(scores, v);
  ParallelFor(count, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> worths(holes.size());
    for (int64_t i = begin; i < end; ++i) {
      const int64_t hole = holes[static_cast<size_t>(i)], left = hole / pattern.m * pattern.m;
      const int64_t right = std::min(left + pattern.m, scores.cols);
      double* const out = gains.data() + i * count;
      for (int64_t top = 0; top < scores.rows; top += v) {
        const int64_t bottom = std::min(top + v, scores.rows);
        const float* const block_sums = sums.data() + top / v * scores.cols;
        BlockChoice rest;
        for (int64_t col = left; col < right; ++col) {
          if (col != hole) rest.Show(col, block_sums[col]);
        }
        std::ranges::fill(worths, 0.0f);
        float unchanged = 0;  // What is kept of a block that does not choose the new column.
        for (int64_t row = top; row < bottom; row += kTileSize) {
          ThreeColumns three;
          float fourth[kTileSize];
          LoadThree(scores, row, rest, three);
          LoadFourth(scores, row, rest, fourth);
          AddTileWorths(pattern.inner, three, gathered.data() + row * count, count, count, worths.data());
          AddTileWorths(pattern.inner, three, fourth, 1, 1, &unchanged);
        }
        for (int64_t c = 0; c < count; ++c) {
          const auto at = static_cast<size_t>(c);
          out[c] += factor * (rest.Admits(hole, block_sums[holes[at]]) ? worths[at] : unchanged);
        }
      }
    }
  });
}

}  // namespace twofour::sparse
