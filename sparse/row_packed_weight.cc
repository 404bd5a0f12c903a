#include "twofour/sparse/row_packed_weight.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <type_traits>
#include <vector>

#include "twofour/core/ceil_div.h"
#include "twofour/core/convert_element.h"
#include "twofour/core/error.h"
#include "twofour/core/half.h"
#include "twofour/core/huge_pages.h"
#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/packed_rows/packed_rows.h"

namespace twofour::sparse {
namespace {

constexpr const char* kName = "RowPackedWeight";

// From so many rows of x on, unpacking costs less than it saves, as measured on Zen 3.
constexpr int64_t kMany = 13;
// Rows that are unpacked together: with 4096 columns they stay in the second-level cache.
constexpr int64_t kUnpackedRows = 64;

void RequirePattern(const MaskFormat& pattern) {
  const bool sound = pattern.kind == MaskFormat::Kind::kRows && pattern.n >= 1 && pattern.n <= pattern.m &&
                     pattern.m <= RowPackedWeight::kMostNeighbours;
  if (sound) return;
  throw Error(fmt::format("{}: pattern {}, expected n:m along rows with m up to {}", kName, pattern.ToString(),
                          RowPackedWeight::kMostNeighbours));
}

/// Calls `found(row, group, kept columns)` for each group of neighbours.
template <typename Found>
void ForEachGroup(const Mask& mask, int m, int64_t row, const Found& found) {
  std::vector<int64_t> kept;
  for (int64_t begin = 0; begin < mask.cols(); begin += m) {
    kept.clear();
    for (int64_t col = begin; col < std::min(begin + m, mask.cols()); ++col) {
      const TileMask tile = mask.tiles()[row / kTileSize * mask.tile_cols() + col / kTileSize];
      if (tile >> (row % kTileSize * kTileSize + col % kTileSize) & 1) kept.push_back(col);
    }
    found(begin / m, kept);
  }
}

}  // namespace

/// Gives the places of a group that hold no kept value positions that no other place has, so that each may be written
/// without looking.
template <typename Set>
void RowPackedWeight::FillUp(int64_t begin, const std::vector<int64_t>& kept, const Set& set) const {
  int position = 0;
  for (size_t which = kept.size(); which < static_cast<size_t>(pattern_.n); ++which, ++position) {
    while (std::ranges::find(kept, begin + position) != kept.end()) ++position;
    set(which, position);
  }
}

bool FitsRows(const Mask& mask, const MaskFormat& pattern) {
  bool fits = true;
  for (int64_t row = 0; row < mask.rows() && fits; ++row) {
    ForEachGroup(mask, pattern.m, row,
                 [&](int64_t, const std::vector<int64_t>& kept) { fits = fits && std::ssize(kept) <= pattern.n; });
  }
  return fits;
}

int64_t RowPackedWeight::padded_cols() const {
  return is_two_of_four() ? CeilDiv(cols_, kPackedRowsBlock) * kPackedRowsBlock
                          : CeilDiv(cols_, static_cast<int64_t>(pattern_.m)) * pattern_.m;
}

int64_t RowPackedWeight::groups() const { return padded_cols() / pattern_.m; }

int64_t RowPackedWeight::PlaceOf(int64_t row, int64_t group, int64_t which) const {
  if (!is_two_of_four()) return (row * groups() + group) * pattern_.n + which;
  const int64_t block = PackedBlockAt(row, group / 4, padded_cols() / kPackedRowsBlock);
  return block * kPackedRowsValues + PlaceInBlock(group % 4, which);
}

int RowPackedWeight::PositionAt(int64_t place) const {
  if (!is_two_of_four()) return reinterpret_cast<const uint8_t*>(positions_->data())[place];
  const auto* const blocks = reinterpret_cast<const uint16_t*>(positions_->data());
  return blocks[place / kPackedRowsValues] >> (2 * (place % kPackedRowsValues)) & 3;
}

void RowPackedWeight::SetPosition(int64_t place, int position) {
  if (!is_two_of_four()) {
    reinterpret_cast<uint8_t*>(positions_->data())[place] = static_cast<uint8_t>(position);
    return;
  }
  auto* const blocks = reinterpret_cast<uint16_t*>(positions_->data());
  const int shift = static_cast<int>(2 * (place % kPackedRowsValues));
  blocks[place / kPackedRowsValues] = static_cast<uint16_t>(blocks[place / kPackedRowsValues] | position << shift);
}

RowPackedWeight::RowPackedWeight(const Tensor& weight, const Mask& mask, const MaskFormat& pattern, DType values)
    : rows_(mask.rows()), cols_(mask.cols()), pattern_(pattern), dtype_(values) {
  RequirePattern(pattern);
  ops::RequireDType(kName, "weight", weight, DType::kF32);
  if (weight.shape() != Shape{rows_, cols_}) {
    throw Error(fmt::format("{}: weight {}, expected the mask's shape [{}, {}]", kName, ToString(weight.shape()), rows_,
                            cols_));
  }
  if (values != DType::kF32 && values != DType::kBF16) {
    throw Error(fmt::format("{}: values of {}, expected f32 or bf16", kName, NameOf(values)));
  }
  const int64_t stored_rows = is_two_of_four() ? CeilDiv(rows_, kPackedRowsQuad) * kPackedRowsQuad : rows_;
  const int64_t places = stored_rows * groups() * pattern_.n;
  const int64_t value_bytes = values == DType::kF32 ? 4 : 2;
  values_ = std::make_shared<AlignedBuffer<std::byte>>(places * value_bytes);
  positions_ = std::make_shared<AlignedBuffer<std::byte>>(is_two_of_four() ? places / 4 : places);
  PreferHugePages(values_->data(), values_->bytes());
  PreferHugePages(positions_->data(), positions_->bytes());
  std::memset(values_->data(), 0, static_cast<size_t>(places * value_bytes));
  std::memset(positions_->data(), 0, positions_->bytes());
  const float* const from = weight.data<float>();
  // Rows share no bytes of positions.
  ParallelFor(rows_, RowGrain(cols_), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      ForEachGroup(mask, pattern_.m, row, [&](int64_t group, const std::vector<int64_t>& kept) {
        if (std::ssize(kept) > pattern_.n) {
          throw Error(fmt::format("{}: row {} keeps {} of columns {} to {}, expected at most {}", kName, row,
                                  kept.size(), group * pattern_.m, (group + 1) * pattern_.m - 1, pattern_.n));
        }
        FillUp(group * pattern_.m, kept, [&](size_t which, int position) {
          SetPosition(PlaceOf(row, group, static_cast<int64_t>(which)), position);
        });
        for (size_t i = 0; i < kept.size(); ++i) {
          const int64_t place = PlaceOf(row, group, static_cast<int64_t>(i));
          const float value = from[row * cols_ + kept[i]];
          if (dtype_ == DType::kF32) {
            this->values<float>()[place] = value;
          } else {
            this->values<BFloat16>()[place] = BFloat16(value);
          }
          SetPosition(place, static_cast<int>(kept[i] - group * pattern_.m));
        }
      });
    }
  });
}

/// Writes the kept values of a 2:4 row.
template <typename From, typename T>
void RowPackedWeight::UnpackBlocks(int64_t row, const From* from, T* out) const {
  const int64_t blocks = padded_cols() / kPackedRowsBlock;
  const auto* const positions = reinterpret_cast<const uint16_t*>(positions_->data());
  for (int64_t block = 0; block < blocks; ++block, out += kPackedRowsBlock) {
    const int64_t at = PackedBlockAt(row, block, blocks);
    const unsigned bits = positions[at];
    const From* const value = from + at * kPackedRowsValues;
    for (unsigned place = 0; place < kPackedRowsValues; ++place) {
      const unsigned group = place / 4 + place / 2 % 2 * 2;
      out[4 * group + (bits >> (2 * place) & 3)] = ConvertElement<T>(value[place]);
    }
  }
}

/// Writes rows `begin` to `end`, [end - begin, padded columns].
template <typename T>
void RowPackedWeight::UnpackRows(int64_t begin, int64_t end, T* to) const {
  const int64_t cols = padded_cols(), count = groups();
  ParallelFor(end - begin, RowGrain(cols), [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) {
      T* const out = to + row * cols;
      std::fill_n(out, cols, T(0.0F));
      if (is_two_of_four()) {
        if (dtype_ == DType::kF32) {
          UnpackBlocks(begin + row, values<float>(), out);
        } else {
          UnpackBlocks(begin + row, values<BFloat16>(), out);
        }
        continue;
      }
      for (int64_t group = 0; group < count; ++group) {
        for (int64_t which = 0; which < pattern_.n; ++which) {
          const int64_t place = PlaceOf(begin + row, group, which);
          T& element = out[group * pattern_.m + PositionAt(place)];
          element = dtype_ == DType::kF32 ? ConvertElement<T>(values<float>()[place])
                                          : ConvertElement<T>(values<BFloat16>()[place]);
        }
      }
    }
  });
}

Tensor RowPackedWeight::Unpack() const {
  std::vector<float> padded(static_cast<size_t>(rows_ * padded_cols()));
  UnpackRows(0, rows_, padded.data());
  Tensor weight = Tensor::Empty({rows_, cols_});
  float* const to = weight.mutable_data<float>();
  for (int64_t row = 0; row < rows_; ++row) std::copy_n(padded.data() + row * padded_cols(), cols_, to + row * cols_);
  return weight;
}

/// x [batch, padded columns], y [batch, rows].
void RowPackedWeight::MultiplyFew(int64_t batch, const float* x, const float* bias, float* y) const {
  if (is_two_of_four()) {
    const int64_t blocks = padded_cols() / kPackedRowsBlock;
    const auto* const positions = reinterpret_cast<const uint16_t*>(positions_->data());
    for (int64_t b = 0; b < batch; b += kMostPackedRowsBatch) {
      const int64_t count = std::min(kMostPackedRowsBatch, batch - b);
      const float* const rows = x + b * padded_cols();
      float* const out = y + b * rows_;
      if (dtype_ == DType::kF32) {
        MultiplyPackedRows({rows_, blocks, values<float>(), positions}, count, rows, bias, out);
      } else {
        MultiplyPackedRows({rows_, blocks, values<BFloat16>(), positions}, count, rows, bias, out);
      }
    }
    return;
  }
  const int64_t cols = padded_cols(), count = groups();
  ParallelFor(rows_, RowGrain(cols), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t b = 0; b < batch; ++b) {
        float sum = 0;
        for (int64_t group = 0; group < count; ++group) {
          const float* const neighbours = x + b * cols + group * pattern_.m;
          for (int64_t which = 0; which < pattern_.n; ++which) {
            const int64_t place = PlaceOf(row, group, which);
            const float value =
                dtype_ == DType::kF32 ? values<float>()[place] : static_cast<float>(values<BFloat16>()[place]);
            sum += value * neighbours[PositionAt(place)];
          }
        }
        y[b * rows_ + row] = bias == nullptr ? sum : sum + bias[row];
      }
    }
  });
}

/// x [batch, padded columns], y [batch, rows].
template <typename T>
void RowPackedWeight::MultiplyMany(int64_t batch, const T* x, const float* bias, T* y) const {
  const int64_t cols = padded_cols();
  AlignedBuffer<T> part(kUnpackedRows * cols);
  for (int64_t row = 0; row < rows_; row += kUnpackedRows) {
    const int64_t count = std::min(kUnpackedRows, rows_ - row);
    UnpackRows(row, row + count, part.data());
    kernels::Gemm<T, T, T>({.m = batch,
                            .n = count,
                            .k = cols,
                            .a = x,
                            .lda = cols,
                            .transpose_a = kernels::Transpose::kNo,
                            .b = part.data(),
                            .ldb = cols,
                            .transpose_b = kernels::Transpose::kYes,
                            .c = y + row,
                            .ldc = rows_,
                            .accumulate = false,
                            .bias = bias == nullptr ? nullptr : bias + row});
  }
}

namespace {

/// x [..., cols] as elements of type T, with zeros beyond its columns. [batch, padded]
template <typename T>
std::vector<T> Padded(const Tensor& x, int64_t batch, int64_t cols, int64_t padded) {
  std::vector<T> to(static_cast<size_t>(batch * padded), T(0.0F));
  const Tensor source = x.To(std::is_same_v<T, float> ? DType::kF32 : DType::kBF16);
  const T* const from = source.data<T>();
  for (int64_t b = 0; b < batch; ++b) std::copy_n(from + b * cols, cols, to.data() + b * padded);
  return to;
}

}  // namespace

Tensor RowPackedWeight::Multiply(const Tensor& x, const Tensor& bias) const {
  if (!x.defined() || !GoesWith(x.dtype(), DType::kF32) || x.rank() < 1 || x.cols() != cols_) {
    throw Error(fmt::format("{}: x is {}, expected f32, f16 or bf16 [..., {}]", kName, Describe(x), cols_));
  }
  if (bias.defined()) {
    ops::RequireDType(kName, "bias", bias, DType::kF32);
    if (bias.shape() != Shape{rows_}) {
      throw Error(fmt::format("{}: bias {}, expected [{}]", kName, ToString(bias.shape()), rows_));
    }
  }
  Shape shape = x.shape();
  shape.back() = rows_;
  const int64_t batch = x.numel() / std::max<int64_t>(cols_, 1);
  const float* const added = bias.defined() ? bias.data<float>() : nullptr;
  if (batch >= kMany && x.dtype() == DType::kBF16 && dtype_ == DType::kBF16) {
    Tensor y = Tensor::Empty(shape, DType::kBF16);
    const std::vector<BFloat16> rows = Padded<BFloat16>(x, batch, cols_, padded_cols());
    MultiplyMany(batch, rows.data(), added, y.mutable_data<BFloat16>());
    return y;
  }
  Tensor y = Tensor::Empty(shape);
  const std::vector<float> rows = Padded<float>(x, batch, cols_, padded_cols());
  if (batch >= kMany) {
    MultiplyMany(batch, rows.data(), added, y.mutable_data<float>());
  } else {
    MultiplyFew(batch, rows.data(), added, y.mutable_data<float>());
  }
  return x.dtype() == DType::kF32 ? y : y.To(x.dtype());
}

}  // namespace twofour::sparse
