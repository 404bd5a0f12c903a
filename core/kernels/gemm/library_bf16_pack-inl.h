// Copies A and B in the order in which the library's products of blocks read them (see Bf16Block), and takes over their
// results. Zeros follow the last element of the depth, and the last column of B.
#ifndef TWOFOUR_CORE_KERNELS_GEMM_LIBRARY_BF16_PACK_INL_H_
#define TWOFOUR_CORE_KERNELS_GEMM_LIBRARY_BF16_PACK_INL_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/ceil_div.h"
#include "twofour/core/kernels/gemm/bf16_block.h"
#include "twofour/core/kernels/gemm/bf16_gemm_pack-inl.h"
#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/core/kernels/simd/bf16_vectors-inl.h"

TWOFOUR_BF16_BEFORE
namespace twofour::kernels::TWOFOUR_BF16 {
namespace library_bf16 {

using namespace twofour::TWOFOUR_BF16;

/// Whether the library can read A where it lies.
template <typename A, typename B, typename C>
bool ReadsInPlace(const GemmProblem<A, B, C>& p) {
  return std::is_same_v<A, BFloat16> && p.transpose_a == Transpose::kNo && p.lda == p.k &&
         p.k % Bf16Block::kDepthStep == 0;
}

/// The depth with its zeros.
inline int64_t PaddedDepth(int64_t k) { return RoundUp(k, Bf16Block::kDepthStep); }

/// Packs the panel of op(B) that begins at column `col`.
template <typename A, typename B, typename C>
void PackPanel(const GemmProblem<A, B, C>& p, int64_t col, uint32_t* to) {
  constexpr int64_t kPanel = Bf16Block::kPanel;
  const int64_t width = std::min(kPanel, p.n - col), pairs = CeilDiv(p.k, 2);
  const auto cols = [width](int64_t j) { return std::clamp<int64_t>(width - j, 0, kLanes); };
  const auto first = [width, col](int64_t j) { return col + (j < width ? j : 0); };
  if (p.transpose_b == Transpose::kYes) {
    for (int64_t j = 0; j < kPanel; j += kLanes) {
      bf16_gemm::PackTurned(cols(j), p.k, p.b + first(j) * p.ldb, p.ldb, to + j, kPanel);
    }
  } else {
    for (int64_t l = 0; l < pairs; ++l) {
      const B* const row = p.b + 2 * l * p.ldb;
      const B* const next = 2 * l + 1 < p.k ? row + p.ldb : nullptr;
      for (int64_t j = 0; j < kPanel; j += kLanes) {
        const B* const below = next == nullptr ? nullptr : next + first(j);
        StorePairs(bf16_gemm::PairsOfRows(row + first(j), below, cols(j)), to + l * kPanel + j);
      }
    }
  }
  std::fill_n(to + pairs * kPanel, (PaddedDepth(p.k) / 2 - pairs) * kPanel, 0U);
}

/// to [rows, depth] = rows of a row-major A, which are k long, rounded to bf16.
template <typename A>
void PackRows(int64_t k, const A* a, int64_t lda, int64_t rows, int64_t depth, BFloat16* to) {
  constexpr int64_t kStep = 2 * kLanes;
  for (int64_t r = 0; r < rows; ++r) {
    const A* const from = a + r * lda;
    BFloat16* const target = to + r * depth;
    int64_t l = 0;
    for (; l + kStep <= k; l += kStep) StorePairs(LoadBf16(from + l), target + l);
    if (l < k) StorePairs(LoadBf16(bf16_gemm::Padded<A>(from + l, k - l).elements), target + l);
  }
}

/// The same for an A that is stored transposed, [k, rows]. Rows of `to` often lie a multiple of 4 KiB apart, where they
/// share few sets of the caches. So they are first turned in parts in memory that does not, and then copied.
template <typename A>
void PackTurnedRows(int64_t k, const A* a, int64_t lda, int64_t rows, int64_t depth, BFloat16* to) {
  constexpr int64_t kStep = 2 * kLanes, kPart = 8 * kStep, kPitch = kPart + kStep;
  alignas(64) BFloat16 turned[kLanes * kPitch];
  for (int64_t part = 0; part < depth; part += kPart) {
    const int64_t width = std::min(kPart, depth - part);
    for (int64_t row = 0; row < rows; row += kLanes) {
      for (int64_t first = 0; first < width; first += kStep) {
        Pairs r[kLanes];
        for (int i = 0; i < kLanes; ++i) {
          const int64_t l = part + first + 2 * i;
          const auto at = [&](int64_t stored_row) { return stored_row < k ? a + stored_row * lda + row : nullptr; };
          r[i] = l < k ? bf16_gemm::PairsOfRows(at(l), at(l + 1), rows - row) : SetPairs(0);
        }
        TransposePairs(r);
        for (int i = 0; i < kLanes; ++i) StorePairs(r[i], turned + i * kPitch + first);
      }
      for (int64_t i = 0; i < std::min<int64_t>(kLanes, rows - row); ++i) {
        std::copy_n(turned + i * kPitch, width, to + (row + i) * depth + part);
      }
    }
  }
}

/// Rows of op(A) as the library wants them: in place where they lie so, or else in memory of its own.
template <typename A>
class PackedRows {
 public:
  PackedRows(int64_t most_rows, int64_t depth) : most_rows_(most_rows), depth_(depth) {}

  template <typename B, typename C>
  const BFloat16* Get(const GemmProblem<A, B, C>& p, int64_t row, int64_t rows) {
    if constexpr (std::is_same_v<A, BFloat16>) {
      if (ReadsInPlace(p)) return p.a + row * p.lda;
    }
    if (row == row_) return space_->data();
    if (!space_) space_.emplace(most_rows_ * depth_);
    row_ = row;
    if (p.transpose_a == Transpose::kYes) {
      PackTurnedRows(p.k, p.a + row, p.lda, rows, depth_, space_->data());
    } else {
      PackRows(p.k, p.a + row * p.lda, p.lda, rows, depth_, space_->data());
    }
    return space_->data();
  }

 private:
  int64_t most_rows_, depth_;
  std::optional<AlignedBuffer<BFloat16>> space_;
  int64_t row_ = -1;  // The first row in `space_`.
};

/// Adds the bias to `sums` [rows, width, rounded up to panels], and stores them, or adds them to C. A C of bf16 is
/// rounded.
template <typename A, typename B, typename C>
void StoreBlock(const GemmProblem<A, B, C>& p, int64_t row, int64_t rows, int64_t col, int64_t width,
                const float* sums) {
  constexpr int64_t kStep = 2 * kLanes;
  const int64_t pitch = RoundUp(width, Bf16Block::kPanel);
  // Nothing adds to a C of bf16 where speed matters, so that goes without vectors.
  const int64_t whole = p.accumulate && std::is_same_v<C, BFloat16> ? 0 : width / kStep * kStep;
  for (int64_t r = 0; r < rows; ++r) {
    const float* const from = sums + r * pitch;
    C* const to = p.c + (row + r) * p.ldc + col;
    const float* const bias = p.bias == nullptr ? nullptr : p.bias + col;
    for (int64_t i = 0; i < whole; i += kStep) {
      Floats sum[2] = {LoadFloats(from + i), LoadFloats(from + i + kLanes)};
      TWOFOUR_UNROLL
      for (int v = 0; v < 2; ++v) {
        if (bias != nullptr) sum[v] = Add(sum[v], LoadFloats(bias + i + v * kLanes));
        if constexpr (std::is_same_v<C, float>) {
          float* const at = to + i + v * kLanes;
          StoreFloats(p.accumulate ? Add(LoadFloats(at), sum[v]) : sum[v], at);
        }
      }
      if constexpr (!std::is_same_v<C, float>) {
        StorePairs(RoundToBf16(sum[0], sum[1]), to + i);
      }
    }
    for (int64_t i = whole; i < width; ++i) {
      float sum = from[i];
      if (bias != nullptr) sum += bias[i];
      if (p.accumulate) sum += static_cast<float>(to[i]);
      if constexpr (std::is_same_v<C, float>) {
        to[i] = sum;
      } else {
        to[i] = BFloat16::FromBits(BitsOf(sum));
      }
    }
  }
}

}  // namespace library_bf16
}  // namespace twofour::kernels::TWOFOUR_BF16
TWOFOUR_BF16_AFTER

#endif  // TWOFOUR_CORE_KERNELS_GEMM_LIBRARY_BF16_PACK_INL_H_
