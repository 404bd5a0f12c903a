// Activations as bytes, in panels of kPanel tokens side by side, and results back in rows. Compiled for each set: see
// int8_vectors-inl.h.
#ifndef TWOFOUR_SPARSE_KERNELS_INT8_INT8_PANEL_INL_H_
#define TWOFOUR_SPARSE_KERNELS_INT8_INT8_PANEL_INL_H_

#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/ceil_div.h"
#include "twofour/sparse/kernels/int8/int8_kernel.h"
#include "twofour/sparse/kernels/int8/int8_vectors-inl.h"

TWOFOUR_INT8_BEFORE
namespace twofour::sparse::TWOFOUR_INT8 {

/// Tokens of a panel: one byte of a vector each. Vector q of integers, of four, has tokens q * kLanes and following.
inline constexpr int64_t kPanel = kBytes;

/// How a token became bytes, and the numbers that this takes.
struct Token {
  float scale, inverse;
  int32_t zero_point;
};

inline Token TokenOf(const Int8Range& range) { return {range.scale, 1.0f / range.scale, range.zero_point}; }

/// The range of a token's own numbers or, of finite ones, `given`.
template <typename T>
HWY_INLINE Token FindToken(const T* x, int64_t cols, const Int8Range* given) {
  // Several at once, because each waits for the one before it.
  constexpr int kAtOnce = 4;
  Floats min[kAtOnce], max[kAtOnce], bad[kAtOnce];
  TWOFOUR_UNROLL
  for (int i = 0; i < kAtOnce; ++i) min[i] = max[i] = bad[i] = SetFloats(0);
  const auto take = [&](const T* from, int i) {
    const Floats v = LoadFloats(from);
    min[i] = Min(min[i], v), max[i] = Max(max[i], v);
    bad[i] = Add(bad[i], Mul(v, SetFloats(0)));  // 0 unless v is not finite.
  };
  int64_t col = 0;
  for (; col + kAtOnce * kLanes <= cols; col += kAtOnce * kLanes) {
    TWOFOUR_UNROLL
    for (int i = 0; i < kAtOnce; ++i) take(x + col + i * kLanes, i);
  }
  for (; col + kLanes <= cols; col += kLanes) take(x + col, 0);
  if (col < cols) {
    T rest[kLanes];
    std::fill(std::copy_n(x + col, cols - col, rest), rest + kLanes, T(0.0f));
    take(rest, 0);
  }
  TWOFOUR_UNROLL
  for (int i = 1; i < kAtOnce; ++i) {
    min[0] = Min(min[0], min[i]), max[0] = Max(max[0], max[i]), bad[0] = Add(bad[0], bad[i]);
  }
  float mins[kLanes], maxs[kLanes], bads[kLanes];
  Store(AsInts(min[0]), mins), Store(AsInts(max[0]), maxs), Store(AsInts(bad[0]), bads);
  const bool finite = std::all_of(bads, bads + kLanes, [](float b) { return b == 0; });
  if (!finite) return {std::numeric_limits<float>::quiet_NaN(), 0, 0};
  if (given != nullptr) return TokenOf(*given);
  return TokenOf(RangeOf(*std::min_element(mins, mins + kLanes), *std::max_element(maxs, maxs + kLanes)));
}

/// kBytes numbers of a token as bytes.
template <typename T>
HWY_INLINE void ToBytes(const T* x, const Token& token, uint8_t* to) {
  const Floats inverse = SetFloats(token.inverse), low = SetFloats(-512), high = SetFloats(512);
  const Ints zero_point = SetInts(token.zero_point);
  TWOFOUR_UNROLL
  for (int i = 0; i < 4; ++i) {
    const Floats scaled = Min(Max(Mul(LoadFloats(x + i * kLanes), inverse), low), high);
    StoreBytes(AddInts(ToNearest(scaled), zero_point), to + i * kLanes);
  }
}

/// A panel of tokens as bytes.
class Panel {
 public:
  /// For rows of `cols` numbers. `in_quads`: kBytes quads of tokens in a row for every four columns, as products with
  /// dense matrices read them. Else kBytes tokens for every column.
  Panel(int64_t cols, bool in_quads)
      : cols_(cols), in_quads_(in_quads), bytes_(RoundUp(std::max<int64_t>(cols, 1), int64_t{kBytes}) * kPanel) {}

  /// Takes `tokens` <= kPanel rows of x, which lie one after the other.
  template <typename T>
  void Take(const T* x, int64_t tokens, const Int8Range* given) {
    for (int64_t t = 0; t < kPanel; ++t) {
      tokens_[t] = t < tokens ? FindToken(x + t * cols_, cols_, given) : Token{1, 0, 0};
    }
    for (int64_t col = 0; col < cols_; col += kBytes) {
      const int64_t width = std::min<int64_t>(kBytes, cols_ - col);
      for (int64_t group = 0; group < 4; ++group) TakeGroup(x, tokens, col, width, group);
      if (!in_quads_) PartQuads(col);
    }
  }

  const Token* tokens() const { return tokens_; }
  /// Of column `col`, or of the quad that begins with it.
  const uint8_t* at(int64_t col) const { return bytes_.data() + col * kPanel; }

 private:
  /// Writes the quads of kLanes tokens in kBytes columns.
  template <typename T>
  HWY_INLINE void TakeGroup(const T* x, int64_t tokens, int64_t col, int64_t width, int64_t group) {
    alignas(64) uint8_t bytes[kLanes][kBytes];
    for (int64_t i = 0; i < kLanes; ++i) {
      const int64_t t = group * kLanes + i;
      const T* const from = x + t * cols_ + col;
      if (t < tokens && width == kBytes) {
        ToBytes(from, tokens_[t], bytes[i]);
      } else {
        T row[kBytes];
        std::fill(std::copy_n(from, t < tokens ? width : 0, row), row + kBytes, T(0.0f));
        ToBytes(row, tokens_[t], bytes[i]);
      }
    }
    Ints quads[kLanes];
    TWOFOUR_UNROLL
    for (int i = 0; i < kLanes; ++i) quads[i] = Load(bytes[i]);
    Transpose(quads);
    uint8_t* const to = bytes_.data() + col * kPanel + group * kBytes;
    TWOFOUR_UNROLL
    for (int i = 0; i < kLanes; ++i) Store(quads[i], to + i * 4 * kPanel);
  }

  /// Turns the quads of kBytes columns into columns. The bytes of a column are in such an order that products find
  /// tokens in theirs.
  HWY_INLINE void PartQuads(int64_t col) {
    for (uint8_t* at = bytes_.data() + col * kPanel; at != bytes_.data() + (col + kBytes) * kPanel; at += 4 * kPanel) {
      const Ints q0 = TransposeBytes(Load(at)), q1 = TransposeBytes(Load(at + kBytes));
      const Ints q2 = TransposeBytes(Load(at + 2 * kBytes)), q3 = TransposeBytes(Load(at + 3 * kBytes));
      const Ints a = Lower32(q0, q1), b = Lower32(q2, q3), c = Upper32(q0, q1), d = Upper32(q2, q3);
      Store(Lower64(a, b), at), Store(Upper64(a, b), at + kBytes);
      Store(Lower64(c, d), at + 2 * kBytes), Store(Upper64(c, d), at + 3 * kBytes);
    }
  }

  int64_t cols_;
  bool in_quads_;
  Token tokens_[kPanel];
  AlignedBuffer<uint8_t> bytes_;
};

/// Rows of the weight whose results make a cache line of a token's row.
template <typename T>
inline constexpr int64_t kGroupRows = 64 / sizeof(T);

/// Writes the results of a panel, [kPanel][rows of the weight].
template <typename T>
class ResultRows {
 public:
  /// `tokens_of`: how each of so many tokens became bytes. `out`: of the panel's first token. `ld`: rows of the weight.
  /// With `stream`, whole groups are written past the caches.
  ResultRows(const Int8Epilogue& epilogue, const Token* tokens_of, int64_t tokens, T* out, int64_t ld, bool stream)
      : epilogue_(epilogue), tokens_of_(tokens_of), tokens_(tokens), out_(out), ld_(ld), stream_(stream) {}

  /// sums [rows][kPanel] of `rows` <= kGroupRows<T> rows of the weight from `first` on. There is room for kGroupRows.
  HWY_INLINE void Write(const int32_t* sums, int64_t first, int64_t rows) const {
    const Group group(epilogue_, first, rows);
    for (int64_t q = 0; q < 4 && q * kLanes < tokens_; ++q) {
      Ints r[kParts][kLanes];
      TWOFOUR_UNROLL
      for (int64_t part = 0; part < kParts; ++part) {
        TWOFOUR_UNROLL
        for (int64_t i = 0; i < kLanes; ++i) r[part][i] = Load(sums + (part * kLanes + i) * kPanel + q * kLanes);
        Transpose(r[part]);
      }
      TWOFOUR_UNROLL
      for (int64_t i = 0; i < kLanes; ++i) {
        if (q * kLanes + i >= tokens_) break;
        Ints of_token[kParts];
        TWOFOUR_UNROLL
        for (int64_t part = 0; part < kParts; ++part) of_token[part] = r[part][i];
        WriteToken(of_token, group, q * kLanes + i);
      }
    }
  }

  /// The same where the sums of a token are side by side: sums [tokens][pitch] of tokens [begin, end).
  HWY_INLINE void WriteRows(const int32_t* sums, int64_t pitch, int64_t begin, int64_t end, int64_t first,
                            int64_t rows) const {
    const Group group(epilogue_, first, rows);
    for (int64_t t = begin; t < std::min(end, tokens_); ++t) {
      Ints of_token[kParts];
      TWOFOUR_UNROLL
      for (int64_t part = 0; part < kParts; ++part) of_token[part] = Load(sums + (t - begin) * pitch + part * kLanes);
      WriteToken(of_token, group, t);
    }
  }

 private:
  static constexpr int64_t kParts = kGroupRows<T> / kLanes;

  /// What becomes of the sums of a group of rows of the weight.
  struct Group {
    Group(const Int8Epilogue& epilogue, int64_t first_row, int64_t count) : first(first_row), rows(count) {
      for (int64_t i = 0; i < kGroupRows<T>; ++i) {
        const int64_t row = std::min(first + i, first + rows - 1);
        scales[i] = epilogue.scales[row], row_sums[i] = epilogue.row_sums[row];
        biases[i] = epilogue.bias == nullptr ? 0.0f : epilogue.bias[row];
      }
    }

    int64_t first, rows;
    alignas(64) float scales[kGroupRows<T>], biases[kGroupRows<T>];
    alignas(64) int32_t row_sums[kGroupRows<T>];
  };

  HWY_INLINE void WriteToken(const Ints (&sums)[kParts], const Group& group, int64_t t) const {
    const Token& token = tokens_of_[t];
    Floats y[kParts];
    TWOFOUR_UNROLL
    for (int64_t part = 0; part < kParts; ++part) {
      const Ints zero = MulInts(SetInts(token.zero_point), Load(group.row_sums + part * kLanes));
      const Floats sum = ToFloats(SubInts(sums[part], zero));
      y[part] = Mul(Mul(sum, SetFloats(token.scale)), LoadFloats(group.scales + part * kLanes));
      if (epilogue_.bias != nullptr) y[part] = Add(y[part], LoadFloats(group.biases + part * kLanes));
    }
    T* const to = out_ + t * ld_ + group.first;
    if (group.rows == kGroupRows<T>) {
      StoreLine(y, to, stream_);
      return;
    }
    alignas(64) T line[kGroupRows<T>];
    StoreLine(y, line, false);
    std::copy_n(line, group.rows, to);
  }

  static HWY_INLINE void StoreLine(const Floats (&y)[kParts], T* to, bool stream) {
    if constexpr (std::is_same_v<T, float>) {
      TWOFOUR_UNROLL
      for (int64_t part = 0; part < kParts; ++part) {
        stream ? Stream(AsInts(y[part]), to + part * kLanes) : Store(AsInts(y[part]), to + part * kLanes);
      }
    } else {
      TWOFOUR_UNROLL
      for (int64_t part = 0; part < kParts; part += 2) {
        const Ints rounded = RoundToBf16(y[part], y[part + 1]);
        stream ? Stream(rounded, to + part * kLanes) : Store(rounded, to + part * kLanes);
      }
    }
  }

  const Int8Epilogue epilogue_;
  const Token* const tokens_of_;
  const int64_t tokens_;
  T* const out_;
  const int64_t ld_;
  const bool stream_;
};

/// Whether results of this size should be written past the caches, because they would only push everything else out.
template <typename T>
bool ShouldStream(const T* out, int64_t rows, int64_t cols) {
  constexpr int64_t kMostBytes = int64_t{4} << 20;
  return cols % kGroupRows<T> == 0 && reinterpret_cast<uintptr_t>(out) % 64 == 0 &&
         rows * cols * static_cast<int64_t>(sizeof(T)) > kMostBytes;
}

}  // namespace twofour::sparse::TWOFOUR_INT8
TWOFOUR_INT8_AFTER

#endif  // TWOFOUR_SPARSE_KERNELS_INT8_INT8_PANEL_INL_H_
