#include "twofour/sparse/kept_entries.h"

#include <fmt/format.h>

#include <bit>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/parallel.h"

namespace twofour::sparse {
namespace {

/// How many entries are kept before each row of tiles; one more than there are rows.
std::vector<int64_t> Offsets(const Mask& mask) {
  std::vector<int64_t> offsets{0};
  const TileMask* tile = mask.tiles();
  for (int64_t i = 0; i < mask.tile_rows(); ++i) {
    int64_t kept = 0;
    for (int64_t j = 0; j < mask.tile_cols(); ++j) kept += CountKept(*tile++);
    offsets.push_back(offsets.back() + kept);
  }
  return offsets;
}

/// Calls visit(index in the matrix, index among the kept) for each entry that is kept.
template <typename Visit>
void VisitKept(const Mask& mask, const std::vector<int64_t>& offsets, const Visit& visit) {
  ParallelFor(mask.tile_rows(), RowGrain(mask.cols() * kTileSize), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const TileMask* const tiles = mask.tiles() + i * mask.tile_cols();
      int64_t kept = offsets[static_cast<size_t>(i)];
      for (int64_t j = 0; j < mask.tile_cols(); ++j) {
        for (unsigned left = tiles[j]; left != 0; left &= left - 1) {
          const int bit = std::countr_zero(left);
          visit((i * kTileSize + bit / kTileSize) * mask.cols() + j * kTileSize + bit % kTileSize, kept++);
        }
      }
    }
  });
}

}  // namespace

Tensor KeptEntries(const Mask& mask, const Tensor& values) {
  if (values.shape() != Shape{mask.rows(), mask.cols()}) {
    throw Error(fmt::format("KeptEntries: values {}, expected [{}, {}], as the mask has it", ToString(values.shape()),
                            mask.rows(), mask.cols()));
  }
  const std::vector<int64_t> offsets = Offsets(mask);
  Tensor kept = Tensor::Empty({offsets.back()});
  const float* const from = values.data<float>();
  float* const to = kept.mutable_data<float>();
  VisitKept(mask, offsets, [from, to](int64_t entry, int64_t index) { to[index] = from[entry]; });
  return kept;
}

Tensor SpreadEntries(const Mask& mask, const Tensor& kept) {
  const std::vector<int64_t> offsets = Offsets(mask);
  if (kept.shape() != Shape{offsets.back()}) {
    throw Error(
        fmt::format("SpreadEntries: {} entries, expected {}, as many as the mask keeps", kept.numel(), offsets.back()));
  }
  Tensor values = Tensor::Zeros({mask.rows(), mask.cols()});
  const float* const from = kept.data<float>();
  float* const to = values.mutable_data<float>();
  VisitKept(mask, offsets, [from, to](int64_t entry, int64_t index) { to[entry] = from[index]; });
  return values;
}

}  // namespace twofour::sparse
