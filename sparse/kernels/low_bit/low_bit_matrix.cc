#include "twofour/sparse/kernels/low_bit/low_bit_matrix.h"

#include <algorithm>
#include <cassert>
#include <iterator>

#include "twofour/core/huge_pages.h"

namespace twofour::sparse {
namespace {

int64_t SpansOf(bool two_of_four, int64_t cols) {
  constexpr int64_t kUnit = kLowBitSpanUnit * kLowBitSpanValues;
  return CeilDiv(LowBitMatrix::StoredValues(two_of_four, cols), kUnit) * kLowBitSpanUnit;
}

}  // namespace

LowBitMatrix::LowBitMatrix(LowBitKind kind, bool two_of_four, int64_t rows, int64_t cols)
    : kind_(kind),
      two_of_four_(two_of_four),
      rows_(rows),
      cols_(cols),
      spans_(SpansOf(two_of_four, cols)),
      scales_(kind == LowBitKind::kNvfp4 ? 1 : rows),
      tiles_(CeilDiv(rows, kLowBitRows) *
             LowBitView{.kind = kind, .two_of_four = two_of_four, .rows = rows, .spans = spans_}.quad_bytes()) {
  std::fill_n(scales_.data(), static_cast<int64_t>(scales_.bytes() / sizeof(float)), 1.0F);
  if (tiles_.bytes() > 0) PreferHugePages(tiles_.data(), tiles_.bytes());
  std::fill_n(tiles_.data(), tiles_.bytes(), uint8_t{0});
}

int64_t LowBitMatrix::PaddedCols(bool two_of_four, int64_t cols) {
  return LowBitView{.two_of_four = two_of_four, .spans = SpansOf(two_of_four, cols)}.padded_cols();
}

LowBitView LowBitMatrix::view() const {
  return {.kind = kind_,
          .two_of_four = two_of_four_,
          .rows = rows_,
          .spans = spans_,
          .tiles = tiles_.data(),
          .scales = scales_.data()};
}

template <typename Visit>
void LowBitMatrix::ForEachValue(int64_t row, const Visit& visit) const {
  const LowBitView all = view();
  const int64_t quad = row / kLowBitRows, count = values();
  for (int64_t index = 0; index < all.tiles_of_row(); ++index) {
    const LowBitTile tile = all.tile(index);
    const int64_t at = all.TileAt(quad, index) - all.tiles;
    for (int64_t i = 0; i < tile.spans() * kLowBitSpanValues; ++i) {
      const int64_t value = index * kLowBitSpans * kLowBitSpanValues + i;
      if (value >= count) return;
      visit(value, tile, at, i / kLowBitSpanValues, i % kLowBitSpanValues / 2, i % 2);
    }
  }
}

namespace {

/// Where the code of a value lies, from the beginning of its vector, and how far up in its byte.
struct CodePlace {
  int64_t byte;
  int shift;
};
CodePlace PlaceOf(LowBitKind kind, int64_t span, int64_t step, int64_t w) {
  if (BitsOf(kind) == 8) return {16 * (span / 4) + 8 * (step % 2) + 2 * (span % 4) + w, 0};
  return {4 * span + 2 * w + step % 4 / 2, static_cast<int>(step % 2 * 4)};
}

}  // namespace

void LowBitMatrix::SetRow(int64_t row, const LowBitRow& stored) {
  assert(std::ssize(stored.codes) == values());
  const int64_t r = row % kLowBitRows;
  uint8_t* const bytes = tiles_.data();
  ForEachValue(row, [&](int64_t value, const LowBitTile& tile, int64_t at, int64_t span, int64_t step, int64_t w) {
    const auto v = static_cast<size_t>(value);
    const CodePlace place = PlaceOf(kind_, span, step, w);
    uint8_t& code = bytes[at + tile.CodesAt(r, step) + place.byte];
    code = static_cast<uint8_t>(code | stored.codes[v] << place.shift);
    if (two_of_four_ && stored.places[v] > w) {
      const int64_t bit = 2 * span + w;
      uint8_t& mask = bytes[at + tile.OffsetsAt(r, step, stored.places[v] - w - 1) + bit / 8];
      mask = static_cast<uint8_t>(mask | 1 << bit % 8);
    }
    if (kind_ == LowBitKind::kNvfp4) bytes[at + tile.ScalesAt(r) + span] = stored.block_scales[v / kLowBitSpanValues];
  });
}

LowBitRow LowBitMatrix::GetRow(int64_t row) const {
  const auto count = static_cast<size_t>(values());
  LowBitRow stored{.codes = std::vector<uint8_t>(count), .places = {}, .block_scales = {}};
  if (two_of_four_) stored.places.resize(count);
  if (kind_ == LowBitKind::kNvfp4) stored.block_scales.resize(CeilDiv(count, size_t{kLowBitSpanValues}));
  const int64_t r = row % kLowBitRows;
  const uint8_t* const bytes = tiles_.data();
  const unsigned mask = BitsOf(kind_) == 4 ? 15 : 255;
  ForEachValue(row, [&](int64_t value, const LowBitTile& tile, int64_t at, int64_t span, int64_t step, int64_t w) {
    const auto v = static_cast<size_t>(value);
    const CodePlace place = PlaceOf(kind_, span, step, w);
    stored.codes[v] = static_cast<uint8_t>(bytes[at + tile.CodesAt(r, step) + place.byte] >> place.shift & mask);
    if (two_of_four_) {
      const int64_t bit = 2 * span + w;
      const auto is_set = [&](int64_t which) {
        return (bytes[at + tile.OffsetsAt(r, step, which) + bit / 8] >> bit % 8 & 1) != 0;
      };
      stored.places[v] = static_cast<uint8_t>(w + (is_set(1) ? 2 : is_set(0) ? 1 : 0));
    }
    if (kind_ == LowBitKind::kNvfp4) stored.block_scales[v / kLowBitSpanValues] = bytes[at + tile.ScalesAt(r) + span];
  });
  return stored;
}

}  // namespace twofour::sparse
