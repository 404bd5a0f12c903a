// Products of bytes with tiles (AMX-INT8). Compiled twice, with and without the instructions: a file defines
// TWOFOUR_BF16_NATIVE and TWOFOUR_INT8_SET, and includes this one.
//
// Zeros within a tile save nothing, so a sparse weight is multiplied with its zeros: dense tiles are many times as fast
// as vectors that skip them.
#include <cstdint>
#include <memory>
#include <vector>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/ceil_div.h"
#include "twofour/core/parallel.h"
#include "twofour/core/x86_features.h"
#include "twofour/sparse/kernels/amx/tiles-inl.h"
#include "twofour/sparse/kernels/int8/int8_panel-inl.h"

TWOFOUR_BF16_BEFORE
namespace twofour::sparse::TWOFOUR_BF16 {
namespace {

/// Tokens that are multiplied together, and rows of the weight: two tiles each.
constexpr int64_t kTokens = 64, kPair = 2 * kTileRows;
constexpr int64_t kTileBytes = int64_t{kTileRows} * kTileRowBytes;

/// sums [32 tokens][32 rows of the weight]. Compiled for the tiles' set, as they are, and its callers for that of
/// bytes.
HWY_NOINLINE void MultiplyPair(Tiles& tiles, const uint8_t* x, int64_t pitch, const int8_t* w, int64_t depth,
                               int32_t* sums) {
  tiles.Zero<0>(), tiles.Zero<1>(), tiles.Zero<2>(), tiles.Zero<3>();
  for (int64_t t = 0; t < depth; ++t) {
    tiles.Load<4>(x + t * kTileRowBytes, pitch);
    tiles.Load<5>(x + kTileRows * pitch + t * kTileRowBytes, pitch);
    tiles.Load<6>(w + t * 2 * kTileBytes, kTileRowBytes);
    tiles.Load<7>(w + (t * 2 + 1) * kTileBytes, kTileRowBytes);
    tiles.MultiplyBytes<0, 4, 6>(), tiles.MultiplyBytes<1, 4, 7>();
    tiles.MultiplyBytes<2, 5, 6>(), tiles.MultiplyBytes<3, 5, 7>();
  }
  constexpr int64_t kPitch = kPair * static_cast<int64_t>(sizeof(int32_t));
  tiles.Store<0>(sums, kPitch), tiles.Store<1>(sums + kTileRows, kPitch);
  tiles.Store<2>(sums + kTileRows * kPair, kPitch), tiles.Store<3>(sums + kTileRows * kPair + kTileRows, kPitch);
}

}  // namespace
}  // namespace twofour::sparse::TWOFOUR_BF16
TWOFOUR_BF16_AFTER

TWOFOUR_INT8_BEFORE
namespace twofour::sparse::TWOFOUR_BF16 {
namespace {

using TWOFOUR_INT8::FindToken;
using TWOFOUR_INT8::kGroupRows;
using TWOFOUR_INT8::ResultRows;
using TWOFOUR_INT8::Token;

/// A matrix of bytes in tiles: for each 32 rows, for each 64 columns, two tiles [16 quads of columns][16 rows][4].
/// Rows and columns beyond the matrix are zeros.
class Int8Tiles final : public Int8PackedWeight {
 public:
  Int8Tiles(const Int8View& weight, const MaskView& mask)
      : rows_(weight.rows), cols_(weight.cols), tiles_(pairs() * depth() * 2 * kTileBytes) {
    ParallelFor(pairs(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t pair = begin; pair < end; ++pair) {
        for (int64_t i = 0; i < depth() * 2 * kTileBytes; ++i) {
          const Place place = PlaceOf(pair, i);
          const bool kept = place.row < rows_ && place.col < cols_ && mask.Keeps(place.row, place.col);
          tiles_.data()[pair * depth() * 2 * kTileBytes + i] =
              kept ? weight.values[place.row * cols_ + place.col] : int8_t{0};
        }
      }
    });
  }

  size_t bytes() const override { return tiles_.bytes(); }
  void UnpackRow(int64_t row, int8_t* to) const override {
    const int8_t* const from = pair(row / kPair);
    for (int64_t col = 0; col < cols_; ++col) {
      const int64_t tile = col / kTileRowBytes * 2 + row % kPair / kTileRows;
      to[col] = from[tile * kTileBytes + col % kTileRowBytes / 4 * kTileRowBytes + row % kTileRows * 4 + col % 4];
    }
  }

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  int64_t pairs() const { return CeilDiv(rows_, kPair); }
  /// Tiles along a row.
  int64_t depth() const { return CeilDiv(cols_, int64_t{kTileRowBytes}); }
  const int8_t* pair(int64_t pair) const { return tiles_.data() + pair * depth() * 2 * kTileBytes; }

 private:
  struct Place {
    int64_t row, col;
  };
  Place PlaceOf(int64_t pair, int64_t i) const {
    const int64_t tile = i / kTileBytes, quad = i % kTileBytes / kTileRowBytes, byte = i % kTileRowBytes;
    return {pair * kPair + tile % 2 * kTileRows + byte / 4, tile / 2 * kTileRowBytes + quad * 4 + byte % 4};
  }

  int64_t rows_, cols_;
  AlignedBuffer<int8_t> tiles_;
};

/// Tokens as bytes, row by row.
template <typename T>
void TakeTokens(const T* x, int64_t tokens, int64_t cols, const Int8Range* given, Token* tokens_of, int64_t pitch,
                uint8_t* bytes) {
  constexpr int64_t kAtOnce = TWOFOUR_INT8::kBytes;
  for (int64_t t = 0; t < tokens; ++t) {
    const T* const row = x + t * cols;
    tokens_of[t] = FindToken(row, cols, given);
    for (int64_t col = 0; col < cols; col += kAtOnce) {
      uint8_t* const to = bytes + t * pitch + col;
      if (cols - col >= kAtOnce) {
        TWOFOUR_INT8::ToBytes(row + col, tokens_of[t], to);
        continue;
      }
      T rest[kAtOnce];
      std::fill(std::copy_n(row + col, cols - col, rest), rest + kAtOnce, T(0.0f));
      TWOFOUR_INT8::ToBytes(rest, tokens_of[t], to);
    }
  }
}

template <typename T>
void MultiplyTokens(const Int8Tiles& m, const Int8Epilogue& epilogue, int64_t batch, const T* in, T* out) {
  const int64_t panels = CeilDiv(batch, kTokens), pitch = m.depth() * kTileRowBytes;
  // Few panels share the rows of the weight; each converts its tokens again.
  const int64_t ranges = std::clamp<int64_t>(CeilDiv(ItemsForThreads(), panels), 1, CeilDiv(m.pairs(), int64_t{8}));
  const int64_t in_range = CeilDiv(m.pairs(), ranges);
  ParallelFor(panels * ranges, 1, [&](int64_t begin, int64_t end) {
    AlignedBuffer<uint8_t> bytes(kTokens * pitch);
    std::fill_n(bytes.data(), kTokens * pitch, uint8_t{0});
    alignas(64) int32_t sums[kPair * kPair];
    Token tokens_of[kTokens];
    Tiles tiles;
    for (int64_t item = begin; item < end; ++item) {
      const int64_t token = item / ranges * kTokens, tokens = std::min(kTokens, batch - token);
      if (item == begin || item % ranges == 0) {
        TakeTokens(in + token * m.cols(), tokens, m.cols(), epilogue.activation, tokens_of, pitch, bytes.data());
      }
      const ResultRows<T> results(epilogue, tokens_of, tokens, out + token * m.rows(), m.rows(), false);
      const int64_t first = std::min(item % ranges * in_range, m.pairs()), last = std::min(first + in_range, m.pairs());
      for (int64_t pair = first; pair < last; ++pair) {
        for (int64_t t = 0; t < tokens; t += kPair) {
          MultiplyPair(tiles, bytes.data() + t * pitch, pitch, m.pair(pair), m.depth(), sums);
          for (int64_t row = pair * kPair; row < std::min((pair + 1) * kPair, m.rows()); row += kGroupRows<T>) {
            const int64_t rows = std::min(kGroupRows<T>, m.rows() - row);
            results.WriteRows(sums + row % kPair, kPair, t, t + kPair, row, rows);
          }
        }
      }
    }
  });
}

void MultiplyTiles(const Int8PackedWeight& weight, const Int8Epilogue& epilogue, int64_t batch, DType dtype,
                   const void* in, void* out) {
  const auto& m = static_cast<const Int8Tiles&>(weight);
  if (dtype == DType::kF32) {
    MultiplyTokens(m, epilogue, batch, static_cast<const float*>(in), static_cast<float*>(out));
  } else {
    MultiplyTokens(m, epilogue, batch, static_cast<const BFloat16*>(in), static_cast<BFloat16*>(out));
  }
}

}  // namespace
}  // namespace twofour::sparse::TWOFOUR_BF16
TWOFOUR_INT8_AFTER

// Runs on every processor, so it is compiled for the baseline.
namespace twofour::sparse::TWOFOUR_BF16 {
namespace {

std::unique_ptr<Int8PackedWeight> PackTiles(const Int8View& weight, const MaskView& mask) {
  return std::make_unique<Int8Tiles>(weight, mask);
}

Verdict CheckTiles(const LinearProblem& problem) {
  if (problem.in_features > kMostInt8Columns) return {Rejection::kFormat};
  if (!TWOFOUR_BF16_NATIVE) return {Rejection::kEmulated};
  return {HasAmxInt8() ? Rejection::kNone : Rejection::kIsa};
}

}  // namespace

Int8Kernel Int8AmxKernel() {
  return {.name = TWOFOUR_BF16_NATIVE ? "int8_dense_amx" : "int8_dense_amx_emulated",
          .family = "int8_dense_amx",
          .isa = TWOFOUR_BF16_NATIVE ? Isa::kAmxBf16 : Isa::kAny,
          .tiling = "32 tokens x 32 rows in tiles of 64 columns",
          .emulated = !TWOFOUR_BF16_NATIVE,
          .check = CheckTiles,
          .pack = PackTiles,
          .multiply = MultiplyTiles};
}

}  // namespace twofour::sparse::TWOFOUR_BF16
