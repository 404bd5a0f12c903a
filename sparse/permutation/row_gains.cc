#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "twofour/core/parallel.h"
#include "twofour/sparse/permutation/block_choice.h"
#include "twofour/sparse/permutation/pattern_mask.h"
#include "twofour/sparse/permutation/swap_gains.h"
#include "twofour/sparse/permutation/tile_worth.h"

namespace twofour::sparse {
namespace {

/// Rows [top, bottom) and columns [left, right) of a matrix of scores, where the row `hole` may get other values.
struct HoleBlock {
  const ScoreMatrix& scores;
  VnmInner inner;
  int64_t top, bottom, left, right, hole;

  int64_t hole_tile() const { return hole / kTileSize * kTileSize; }

  /// What is kept of the tile at `row` in the chosen columns. `replacement`, a whole row, stands in for the hole; null:
  /// nothing is replaced.
  float WorthOfTile(int64_t row, const BlockChoice& choice, const float* replacement) const {
    ThreeColumns three{};
    float fourth[kTileSize] = {};
    const int64_t rows = std::min<int64_t>(kTileSize, bottom - row);
    for (int64_t r = 0; r < rows; ++r) {
      const bool replaced = replacement != nullptr && row + r == hole;
      const float* const from = replaced ? replacement : scores.data + (row + r) * scores.cols;
      for (int i = 0; i < choice.count(); ++i) (i < 3 ? three[r][i] : fourth[r]) = from[choice.column(i)];
    }
    float worth = 0;
    AddTileWorths(inner, three, fourth, 1, 1, &worth);
    return worth;
  }

  /// What is kept of the tiles that do not have the hole.
  float WorthOfRest(const BlockChoice& choice) const {
    float worth = 0;
    for (int64_t row = top; row < bottom; row += kTileSize) {
      if (row != hole_tile()) worth += WorthOfTile(row, choice, nullptr);
    }
    return worth;
  }
};

/// What a block keeps for any row in its hole. Few sets of columns are ever chosen, so what depends on the set alone is
/// kept for the next row.
class BlockWorth {
 public:
  /// `sums` of the block as it is, for all columns of the matrix.
  BlockWorth(const HoleBlock& block, const float* sums) : block_(block), sums_(sums) {}

  /// `is_in_block`: the row is one of the block, so the sums have it already.
  float Of(const float* row, bool is_in_block) {
    const float* const old = block_.scores.data + block_.hole * block_.scores.cols;
    BlockChoice choice;
    for (int64_t col = block_.left; col < block_.right; ++col) {
      choice.Show(col, is_in_block ? sums_[col] : (sums_[col] - old[col]) + row[col]);
    }
    return WorthOfRest(choice) + block_.WorthOfTile(block_.hole_tile(), choice, row);
  }

 private:
  float WorthOfRest(const BlockChoice& choice) {
    const uint32_t key = choice.SetKey(block_.left);
    for (const auto& [known, worth] : known_) {
      if (known == key) return worth;
    }
    return known_.emplace_back(key, block_.WorthOfRest(choice)).second;
  }

  const HoleBlock& block_;
  const float* sums_;
  std::vector<std::pair<uint32_t, float>> known_;
};

/// Rows of tiles that are 2:4 both ways are worth what the columns of the transposed matrix are.
void AddTransposedGains(const ScoreMatrix& scores, const VnmPattern& pattern, std::span<const int64_t> holes,
                        double factor, std::span<double> gains) {
  std::vector<float> transposed(static_cast<size_t>(scores.rows * scores.cols));
  for (int64_t row = 0; row < scores.rows; ++row) {
    for (int64_t col = 0; col < scores.cols; ++col) {
      transposed[static_cast<size_t>(col * scores.rows + row)] = scores.data[row * scores.cols + col];
    }
  }
  AddColumnGains({transposed.data(), scores.cols, scores.rows}, pattern, holes, factor, gains);
}

}  // namespace

void AddRowGains(const ScoreMatrix& scores, const VnmPattern& pattern, std::span<const int64_t> holes, double factor,
                 std::span<double> gains) {
  if (IsPlain(pattern)) {
    if (pattern.inner == VnmInner::kTransposable) AddTransposedGains(scores, pattern, holes, factor, gains);
    return;
  }
  const auto count = static_cast<int64_t>(holes.size());
  ParallelFor(count, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> sums(static_cast<size_t>(scores.cols));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t hole = holes[static_cast<size_t>(i)], top = hole / pattern.v * pattern.v;
      const int64_t bottom = std::min(top + pattern.v, scores.rows);
      std::ranges::fill(sums, 0.0f);
      for (int64_t row = top; row < bottom; ++row) {
        const float* const from = scores.data + row * scores.cols;
        for (int64_t col = 0; col < scores.cols; ++col) sums[static_cast<size_t>(col)] += from[col];
      }
      double* const out = gains.data() + i * count;
      for (int64_t left = 0; left < scores.cols; left += pattern.m) {
        const int64_t right = std::min(left + pattern.m, scores.cols);
        const HoleBlock block{scores, pattern.inner, top, bottom, left, right, hole};
        BlockWorth worth(block, sums.data());
        for (int64_t c = 0; c < count; ++c) {
          const int64_t row = holes[static_cast<size_t>(c)];
          out[c] += factor * worth.Of(scores.data + row * scores.cols, row >= top && row < bottom);
        }
      }
    }
  });
}

}  // namespace twofour::sparse
