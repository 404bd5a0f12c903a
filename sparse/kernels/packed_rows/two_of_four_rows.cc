#include "twofour/sparse/kernels/packed_rows/two_of_four_rows.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "twofour/core/ceil_div.h"
#include "twofour/core/convert_element.h"
#include "twofour/core/huge_pages.h"

namespace twofour::sparse {
namespace {

int64_t BlocksOf(int64_t groups) { return CeilDiv(groups, kPackedRowsBlock / 4); }
/// Blocks of all rows and of those that complete the last quad.
int64_t StoredBlocks(int64_t rows, int64_t blocks) { return CeilDiv(rows, kPackedRowsQuad) * kPackedRowsQuad * blocks; }

/// Calls `multiply(rows of x, their first)` for as many rows as one pass over the weight takes.
template <typename Multiply>
void ForEachPass(int64_t batch, const Multiply& multiply) {
  for (int64_t b = 0; b < batch; b += kMostPackedRowsBatch) multiply(std::min(kMostPackedRowsBatch, batch - b), b);
}

}  // namespace

TwoOfFourRows::TwoOfFourRows(int64_t rows, int64_t groups, DType values)
    : rows_(rows),
      blocks_(BlocksOf(groups)),
      dtype_(values),
      values_(StoredBlocks(rows, blocks_) * kPackedRowsValues * static_cast<int64_t>(SizeOf(values))),
      positions_(StoredBlocks(rows, blocks_)) {
  assert(values == DType::kF32 || values == DType::kBF16);
  if (values_.bytes() == 0) return;
  PreferHugePages(values_.data(), values_.bytes());
  PreferHugePages(positions_.data(), positions_.bytes());
  std::memset(values_.data(), 0, values_.bytes());
  std::memset(positions_.data(), 0, positions_.bytes());
}

template <typename Use>
void TwoOfFourRows::WithView(const Use& use) const {
  if (dtype_ == DType::kF32) {
    use(view<float>());
  } else {
    use(view<BFloat16>());
  }
}

template <typename T>
void TwoOfFourRows::Set(int64_t row, int64_t group, int64_t which, T value, int position) {
  assert(DTypeOf<T>() == dtype_);
  const int64_t block = PackedBlockAt(row, group / 4, blocks_), place = PlaceInBlock(group % 4, which);
  reinterpret_cast<T*>(values_.data())[block * kPackedRowsValues + place] = value;
  uint16_t& positions = positions_.data()[block];
  positions = static_cast<uint16_t>(positions | position << 2 * place);
}

template <typename T>
void TwoOfFourRows::UnpackRow(int64_t row, T* to) const {
  std::fill_n(to, padded_cols(), T(0.0F));
  WithView([&](const auto& view) {
    for (int64_t block = 0; block < blocks_; ++block, to += kPackedRowsBlock) {
      const int64_t at = PackedBlockAt(row, block, blocks_);
      const unsigned positions = view.positions[at];
      const auto* const value = view.values + at * kPackedRowsValues;
      for (unsigned place = 0; place < kPackedRowsValues; ++place) {
        const unsigned group = place / 4 + place / 2 % 2 * 2;
        to[4 * group + (positions >> (2 * place) & 3)] = ConvertElement<T>(value[place]);
      }
    }
  });
}

void TwoOfFourRows::Multiply(int64_t batch, const float* x, const float* bias, float* y) const {
  WithView([&](const auto& view) {
    ForEachPass(batch, [&](int64_t count, int64_t b) {
      MultiplyPackedRows(view, count, x + b * padded_cols(), bias, y + b * rows_);
    });
  });
}

void TwoOfFourRows::MultiplyRows(int64_t begin, int64_t end, int64_t batch, const float* x, const float* bias,
                                 float* y) const {
  WithView([&](const auto& view) {
    ForEachPass(batch, [&](int64_t count, int64_t b) {
      MultiplyPackedQuads(view, begin / kPackedRowsQuad, CeilDiv(end, kPackedRowsQuad), count, x + b * padded_cols(),
                          bias, y + b * rows_);
    });
  });
}

template void TwoOfFourRows::Set(int64_t, int64_t, int64_t, float, int);
template void TwoOfFourRows::Set(int64_t, int64_t, int64_t, BFloat16, int);
template void TwoOfFourRows::UnpackRow(int64_t, float*) const;
template void TwoOfFourRows::UnpackRow(int64_t, BFloat16*) const;

}  // namespace twofour::sparse
