#pragma once

#include <algorithm>
#include <cstdint>

#include "twofour/core/ceil_div.h"

namespace twofour::sparse {

/// What the codes of a weight of few bits stand for.
enum class LowBitKind {
  kInt8,   ///< Whole numbers from -127 to 127 as i8, times an f32 scale for each row.
  kE4M3,   ///< Float8E4M3, times an f32 scale for each row.
  kNvfp4,  ///< E2M1, times an E4M3 scale for each 16 values along the row, times an f32 scale for the weight.
};

constexpr int BitsOf(LowBitKind kind) { return kind == LowBitKind::kNvfp4 ? 4 : 8; }

// How a weight lies in memory. Of each row, 16 stored values that follow each other make a span: 16 columns, or of a
// 2:4 weight 32 columns. Value 2 s + w of a span belongs to step s (0 to 7) and has place w in its pair; of a 2:4
// weight it is kept entry w of group s. So a vector of 16 lanes holds a step of 16 spans, and a lane adds up one span:
// what it adds up is multiplied by one scale of NVFP4.
//
// A tile is four rows by 16 spans. The tiles of four rows follow each other, so that a product reads one stream of
// memory. A tile has these parts, each of the four rows, row by row:
//
// - offsets (only 2:4): for each step two masks, with a bit for each of the 32 values of the step: bit 2 * span + w. A
//   value is at place w + offset of its group: 0 where neither mask has its bit, 1 where only the first one has it, and
//   2 where the second one has it.
// - codes of 8 bits: four vectors of two steps. Byte 16 (span / 4) + 8 (step % 2) + 2 (span % 4) + w. (Interleaving
// with
//   a second vector of bytes, which works in parts of 16 bytes, then gives the steps.)
// - codes of 4 bits: two vectors of four steps. The 16 bits at 2 (2 span + w) hold the codes of the four steps, the
//   first one in the lowest bits.
// - block scales (only NVFP4): the byte of each span.
//
// The last tile of a row may have fewer spans, a multiple of 4, and leaves out the rest of each vector.

inline constexpr int64_t kLowBitRows = 4;         ///< Of a tile.
inline constexpr int64_t kLowBitSpans = 16;       ///< Of a whole tile.
inline constexpr int64_t kLowBitSpanUnit = 4;     ///< Each row has a multiple of so many.
inline constexpr int64_t kLowBitSteps = 8;        ///< Of a span: pairs of values.
inline constexpr int64_t kLowBitSpanValues = 16;  ///< Of a span: the block of NVFP4.

/// Where the parts of a whole tile begin that belong to a row and those after it.
struct LowBitTileRows {
  const uint8_t *offsets, *codes, *scales;
};

/// The bytes of a tile's parts, and where the parts of a row lie.
class LowBitTile {
 public:
  constexpr LowBitTile(LowBitKind kind, bool two_of_four, int64_t spans = kLowBitSpans)
      : spans_(spans),
        mask_bytes_(spans / kLowBitSpanUnit),
        row_offsets_(two_of_four ? 2 * kLowBitSteps * mask_bytes_ : 0),
        steps_of_vector_(BitsOf(kind) == 4 ? 4 : 2),
        row_codes_(kLowBitSteps / steps_of_vector_ * 4 * spans),
        row_scales_(kind == LowBitKind::kNvfp4 ? spans : 0) {}

  constexpr int64_t bytes() const { return kLowBitRows * (row_offsets_ + row_codes_ + row_scales_); }
  /// Where a mask of a step begins: `which` is 0 or 1.
  constexpr int64_t OffsetsAt(int64_t row, int64_t step, int64_t which) const {
    return row * row_offsets_ + (2 * step + which) * mask_bytes_;
  }
  /// Where the vector of codes begins that has a step.
  constexpr int64_t CodesAt(int64_t row, int64_t step) const {
    return kLowBitRows * row_offsets_ + row * row_codes_ + step / steps_of_vector_ * 4 * spans_;
  }
  constexpr int64_t ScalesAt(int64_t row) const {
    return kLowBitRows * (row_offsets_ + row_codes_) + row * row_scales_;
  }
  constexpr LowBitTileRows RowsFrom(const uint8_t* tile, int64_t row) const {
    return {tile + OffsetsAt(row, 0, 0), tile + CodesAt(row, 0), tile + ScalesAt(row)};
  }
  constexpr int64_t spans() const { return spans_; }
  constexpr int64_t mask_bytes() const { return mask_bytes_; }
  constexpr int64_t row_offsets() const { return row_offsets_; }
  constexpr int64_t row_codes() const { return row_codes_; }
  constexpr int64_t row_scales() const { return row_scales_; }

 private:
  int64_t spans_, mask_bytes_, row_offsets_, steps_of_vector_, row_codes_, row_scales_;
};

/// Bytes of the largest whole tile: 2:4 with codes of 8 bits.
inline constexpr int64_t kMostLowBitTileBytes = LowBitTile(LowBitKind::kInt8, true).bytes();

/// A weight [rows, cols] of few bits in memory that somebody else owns.
struct LowBitView {
  LowBitKind kind = LowBitKind::kInt8;
  bool two_of_four = false;
  int64_t rows = 0, spans = 0;     ///< Spans of each row, a multiple of kLowBitSpanUnit.
  const uint8_t* tiles = nullptr;  ///< Aligned to 64 bytes. Rows beyond the last one, which complete a quad, are zeros.
  const float* scales = nullptr;   ///< [rows]; of NVFP4 [1].

  constexpr int64_t span_cols() const { return two_of_four ? 2 * kLowBitSpanValues : kLowBitSpanValues; }
  constexpr int64_t padded_cols() const { return spans * span_cols(); }
  constexpr int64_t whole_tiles() const { return spans / kLowBitSpans; }
  constexpr int64_t tiles_of_row() const { return CeilDiv(spans, kLowBitSpans); }
  constexpr int64_t quads() const { return CeilDiv(rows, kLowBitRows); }
  constexpr LowBitTile tile(int64_t index) const {
    return {kind, two_of_four, std::min(kLowBitSpans, spans - index * kLowBitSpans)};
  }
  /// Bytes of four rows, so that each quad begins where vectors may.
  constexpr int64_t quad_bytes() const {
    constexpr int64_t kAlignment = 64;
    const int64_t last = spans % kLowBitSpans == 0 ? 0 : tile(whole_tiles()).bytes();
    return CeilDiv(whole_tiles() * LowBitTile(kind, two_of_four).bytes() + last, kAlignment) * kAlignment;
  }
  constexpr const uint8_t* TileAt(int64_t quad, int64_t index) const {
    return tiles + quad * quad_bytes() + index * LowBitTile(kind, two_of_four).bytes();
  }
  constexpr float ScaleOf(int64_t row) const { return scales[kind == LowBitKind::kNvfp4 ? 0 : row]; }
};

/// Copies a tile of fewer spans to `to`, [kMostLowBitTileBytes], as a whole one with zeros.
void WidenTile(const LowBitView& weight, const uint8_t* tile, uint8_t* to);

}  // namespace twofour::sparse
