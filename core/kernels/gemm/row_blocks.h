#pragma once

#include <algorithm>
#include <cstdint>

#include "twofour/core/ceil_div.h"

namespace twofour::kernels {

/// The rows of C, cut into as few blocks of at most `most` rows as possible. Blocks consist of whole tiles (but for the
/// last rows of C) and differ by one tile at most: threads get equal numbers of blocks, so a small last block would
/// leave one of them idle.
class RowBlocks {
 public:
  /// `most` is a multiple of `tile_rows`.
  RowBlocks(int64_t rows, int64_t tile_rows, int64_t most)
      : count(CeilDiv(rows, most)), rows_(rows), tile_rows_(tile_rows), tiles_(CeilDiv(rows, tile_rows)) {}

  int64_t Begin(int64_t block) const { return tiles_ * block / count * tile_rows_; }
  int64_t End(int64_t block) const { return std::min(Begin(block + 1), rows_); }

  const int64_t count;

 private:
  const int64_t rows_, tile_rows_, tiles_;
};

}  // namespace twofour::kernels
