#include "twofour/sparse/kernels/pair_bucket/tile_steps.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <span>

namespace twofour::sparse {
namespace {

constexpr int kNoCol = -1;

/// The rows of one half of a pairing, as a set of bits.
int RowsOfHalf(int pairing, int half) {
  return 1 << kPairingRows[pairing][2 * half] | 1 << kPairingRows[pairing][2 * half + 1];
}

/// Puts steps together: each column gets a free half of a step, or opens another step.
class Builder {
 public:
  /// Gives column `col`, which is kept in `rows`, half of a step. Of all pairings that fit, the first with a free half
  /// is taken. If there is none, the first that fits opens a step.
  void Place(int col, int rows) {
    for (const bool open : {false, true}) {
      for (int pairing = 0; pairing < kPairings; ++pairing) {
        for (int half = 0; half < 2; ++half) {
          if ((rows & ~RowsOfHalf(pairing, half)) != 0) continue;
          if (open) Open(pairing);
          if (Fill(pairing, half, col)) return;
        }
      }
    }
    assert(false && "a column is kept in more than two rows");
  }

  TileSteps Finish(TileMask mask) {
    std::stable_sort(result_.step, result_.step + result_.count,
                     [](const TileStep& a, const TileStep& b) { return a.pairing < b.pairing; });
    for (TileStep& step : std::span(result_.step, result_.count)) {
      for (int half = 0; half < 2; ++half) {
        const bool gap = step.col[half] == kNoCol;
        // Any column will do for a gap, because its weights are 0. The other column is read anyway.
        if (gap) step.col[half] = step.col[1 - half];
        for (int i = 2 * half; i < 2 * half + 2; ++i) {
          const int row = kPairingRows[step.pairing][i];
          step.row[i] = !gap && Keeps(mask, row, step.col[half]) ? row : -1;
        }
      }
    }
    return result_;
  }

 private:
  void Open(int pairing) {
    assert(result_.count < TileSteps::kMax);
    result_.step[result_.count++] = {pairing, {kNoCol, kNoCol}, {}};
  }

  bool Fill(int pairing, int half, int col) {
    for (TileStep& step : std::span(result_.step, result_.count)) {
      if (step.pairing != pairing || step.col[half] != kNoCol) continue;
      step.col[half] = col;
      return true;
    }
    return false;
  }

  TileSteps result_;
};

}  // namespace

TileSteps StepsOfTile(TileMask mask) {
  Builder builder;
  // Full columns come first, because they fit one pairing only. The others then take what is left open.
  for (const int kept : {2, 1}) {
    for (int col = 0; col < kTileSize; ++col) {
      int rows = 0;
      for (int row = 0; row < kTileSize; ++row) rows |= Keeps(mask, row, col) << row;
      if (std::popcount(static_cast<unsigned>(rows)) == kept) builder.Place(col, rows);
    }
  }
  return builder.Finish(mask);
}

}  // namespace twofour::sparse
