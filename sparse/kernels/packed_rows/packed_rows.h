#pragma once

#include <cstdint>

#include "twofour/core/half.h"

namespace twofour::sparse {

/// Columns of the weight in one block: four groups of four neighbours.
inline constexpr int64_t kPackedRowsBlock = 16;
/// Values of a block: two of each group.
inline constexpr int64_t kPackedRowsValues = 8;
/// Rows whose blocks lie side by side, so that products read one stream of memory. The last ones may be padding.
inline constexpr int64_t kPackedRowsQuad = 4;

/// Where a block of a row lies among all blocks.
constexpr int64_t PackedBlockAt(int64_t row, int64_t block, int64_t blocks) {
  return (row / kPackedRowsQuad * blocks + block) * kPackedRowsQuad + row % kPackedRowsQuad;
}

/// The place of kept entry `which` (0 or 1) of a block's group among the block's values. The groups' order is 0, 2, 1,
/// 3, so that vectors of four and of eight values hold what the same places of vectors of the input are multiplied
/// with.
constexpr int64_t PlaceInBlock(int64_t group, int64_t which) { return (group % 2) * 4 + (group / 2) * 2 + which; }

/// A weight [rows, 16 * blocks] that keeps two of four neighbours along its rows, in memory that somebody else owns.
template <typename T>
struct PackedRowsView {
  int64_t rows = 0, blocks = 0;
  const T* values = nullptr;  ///< [quads of rows, blocks, 4, 8]
  const uint16_t* positions =
      nullptr;  ///< [quads of rows, blocks, 4]: two bits for each value, the first in the lowest.
};

/// At most this many rows of x are multiplied in one pass over the weight.
inline constexpr int64_t kMostPackedRowsBatch = 4;

/// y = x W^T + bias on all threads: x [batch, 16 * blocks] with at most kMostPackedRowsBatch rows, y [batch, rows],
/// bias [rows] or null. Products add up in f32, in an order that depends on the processor alone.
void MultiplyPackedRows(const PackedRowsView<float>& weight, int64_t batch, const float* x, const float* bias,
                        float* y);
void MultiplyPackedRows(const PackedRowsView<BFloat16>& weight, int64_t batch, const float* x, const float* bias,
                        float* y);
/// The same for the rows of quads `begin` to `end` alone, on the calling thread. Other quads may have another x.
void MultiplyPackedQuads(const PackedRowsView<float>& weight, int64_t begin, int64_t end, int64_t batch, const float* x,
                         const float* bias, float* y);
void MultiplyPackedQuads(const PackedRowsView<BFloat16>& weight, int64_t begin, int64_t end, int64_t batch,
                         const float* x, const float* bias, float* y);

}  // namespace twofour::sparse
