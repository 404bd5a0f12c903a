#include "twofour/core/kernels/formats/round_matrix.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "twofour/core/ceil_div.h"
#include "twofour/core/kernels/elements/convert_loops.h"
#include "twofour/core/kernels/elements/in_ranges.h"
#include "twofour/core/kernels/formats/random_halves.h"
#include "twofour/core/kernels/formats/round_loops.h"
#include "twofour/core/kernels/formats/scale_choice.h"

namespace twofour::kernels {
namespace {

using loops::BlockScales;
using loops::NumberGrid;

constexpr uint32_t kInfinityBits = 0x7f800000U;
constexpr int64_t kNumbersPerBlock = 8;  // Of 16 random bits, in a block of Philox.
/// So many elements draw their random numbers at once. These stay in the first-level cache.
constexpr int64_t kPiece = 1024;

const NumberGrid& GridOf(NumberFormat::Kind kind) {
  if (kind == NumberFormat::Kind::kNvfp4) return loops::kE2M1Grid;
  return kind == NumberFormat::Kind::kE4M3 ? loops::kE4M3Grid : loops::kE5M2Grid;
}

/// The largest magnitude among the elements that are finite; 0 if there are none.
template <typename T>
float LargestFinite(int64_t n, const T* x) {
  float largest = 0;
  for (int64_t i = 0; i < n; ++i) {
    const float magnitude = std::abs(static_cast<float>(x[i]));
    if (std::isfinite(magnitude)) largest = std::max(largest, magnitude);
  }
  return largest;
}

/// The same for each block of n elements.
template <typename T>
void LargestOfBlocks(int64_t n, int64_t block, const T* x, float* out) {
  constexpr int64_t kMost = 64;
  uint32_t bits[kMost];
  for (int64_t begin = 0; begin < n; begin += kMost * block) {
    const int64_t end = std::min(begin + kMost * block, n);
    loops::MaxMagnitudes(end - begin, block, x + begin, bits);
    for (int64_t at = begin, b = 0; at < end; at += block, ++b, ++out) {
      *out = bits[b] < kInfinityBits ? std::bit_cast<float>(bits[b]) : LargestFinite(std::min(block, end - at), x + at);
    }
  }
}

/// The same for all elements of a matrix, on all threads.
template <typename T>
float LargestOfAll(int64_t n, const T* x) {
  std::vector<float> parts(static_cast<size_t>(CeilDiv(n, kElementwiseGrain)));
  InRanges(std::ssize(parts), 1, [&](int64_t first, int64_t count) {
    const int64_t begin = first * kElementwiseGrain, end = std::min(begin + count * kElementwiseGrain, n);
    LargestOfBlocks(end - begin, kElementwiseGrain, x + begin, parts.data() + first);
  });
  return parts.empty() ? 0.0F : *std::max_element(parts.begin(), parts.end());
}

/// Random numbers for up to kPiece elements.
class Draws {
 public:
  Draws(const RandomKey& key, int64_t first_element) : key_(key), first_element_(first_element) {}

  /// The numbers of `count` elements from `at` on.
  const uint16_t* Of(int64_t at, int64_t count) {
    const int64_t first = first_element_ + at, skipped = first % kNumbersPerBlock;
    loops::RandomHalves(key_, static_cast<uint32_t>(first / kNumbersPerBlock),
                        CeilDiv(skipped + count, kNumbersPerBlock), numbers_);
    return numbers_ + skipped;
  }

 private:
  RandomKey key_;
  int64_t first_element_;
  // Up to 7 that are skipped, up to 7 that nobody asked for, and those that vectors read beyond the end.
  uint16_t numbers_[kPiece + 2 * kNumbersPerBlock + loops::kRandomPadding] = {};
};

template <typename T>
class Rounder {
 public:
  Rounder(const MatrixRounding& how, int64_t rows, int64_t cols, const T* x, const RoundedMatrixPointers& out)
      : how_(how), grid_(GridOf(how.format.kind)), rows_(rows), cols_(cols), x_(x), out_(out) {}

  void Run() {
    const NumberFormat& format = how_.format;
    if (format.kind == NumberFormat::Kind::kBF16) {
      if constexpr (std::is_same_v<T, float>) RoundToBF16();
    } else if (format.kind == NumberFormat::Kind::kNvfp4) {
      RoundNvfp4();
    } else if (format.granularity == NumberFormat::Granularity::kBlock) {
      RoundWithPowersOfTwo();
    } else if (format.granularity == NumberFormat::Granularity::kRow) {
      InRanges(rows_, RowGrain(cols_), [&](int64_t begin, int64_t count) {
        for (int64_t row = begin; row < begin + count; ++row) RoundRow(row);
      });
    } else {
      out_.scales[0] = ScaleOfAll(grid_.largest);
      InRanges(rows_ * cols_, kElementwiseGrain,
               [&](int64_t begin, int64_t count) { RoundAlike(begin, count, out_.scales[0]); });
    }
  }

 private:
  bool is_stochastic() const { return how_.format.rounding == NumberFormat::Rounding::kStochastic; }
  Draws MakeDraws() const { return {how_.key, how_.first_element}; }

  float ScaleOfAll(float largest) const {
    if (how_.given_scales != nullptr) return how_.given_scales[0];
    return ChooseScale(how_.format.scale_type, largest, LargestOfAll(rows_ * cols_, x_));
  }

  void RoundRow(int64_t row) {
    float scale = 1;
    if (how_.given_scales != nullptr) {
      scale = how_.given_scales[row];
    } else if (cols_ > 0) {
      float largest = 0;
      LargestOfBlocks(cols_, cols_, x_ + row * cols_, &largest);
      scale = ChooseScale(how_.format.scale_type, grid_.largest, largest);
    }
    out_.scales[row] = scale;
    RoundAlike(row * cols_, cols_, scale);
  }

  /// Rounds n elements from `begin` on with one scale, which is not folded.
  void RoundAlike(int64_t begin, int64_t n, float scale) {
    const float inverse = 1 / scale, factor = 1, limit = LimitOf(grid_, scale);
    RoundSpan(begin, n, std::max<int64_t>(n, 1), {&inverse, &factor, &limit});
  }

  /// Rounds n elements from `begin` on, where the first of the blocks begins.
  void RoundSpan(int64_t begin, int64_t n, int64_t block, const BlockScales& scales) {
    if (!is_stochastic()) {
      loops::RoundBlocks(grid_, n, block, x_ + begin, scales, nullptr, out_.values + begin);
      return;
    }
    Draws draws = MakeDraws();
    const auto round = [&](int64_t at, int64_t count, int64_t b) {
      loops::RoundBlocks(grid_, count, std::min(block, count), x_ + at,
                         {scales.inverse + b, scales.factor + b, scales.limit + b}, draws.Of(at, count),
                         out_.values + at);
    };
    if (block <= kPiece) {
      const int64_t blocks = kPiece / block;
      for (int64_t b = 0; b * block < n; b += blocks) {
        round(begin + b * block, std::min(blocks * block, n - b * block), b);
      }
      return;
    }
    for (int64_t b = 0; b * block < n; ++b) {
      const int64_t end = std::min((b + 1) * block, n);
      for (int64_t at = b * block; at < end; at += kPiece) round(begin + at, std::min(kPiece, end - at), b);
    }
  }

  /// Rounds each row with scales of blocks. `scales_of(n, largest, factor, inverse, limit)` computes those of n blocks.
  template <typename F>
  void RoundRowsOfBlocks(int64_t block, const F& scales_of) {
    const int64_t blocks = CeilDiv(cols_, block);
    InRanges(rows_, RowGrain(cols_), [&](int64_t begin, int64_t count) {
      std::vector<float> buffer(static_cast<size_t>(5 * blocks), 1.0F);
      float *const largest = buffer.data(), *const factor = largest + blocks, *const inverse = factor + blocks;
      float *const limit = inverse + blocks, *const ones = limit + blocks;
      for (int64_t row = begin; row < begin + count; ++row) {
        LargestOfBlocks(cols_, block, x_ + row * cols_, largest);
        scales_of(blocks, largest, factor, inverse, limit);
        if (out_.block_scales != nullptr) std::copy_n(factor, blocks, out_.block_scales + row * blocks);
        RoundSpan(row * cols_, cols_, block, {inverse, how_.fold_block_scales ? factor : ones, limit});
      }
    });
  }

  void RoundWithPowersOfTwo() {
    RoundRowsOfBlocks(how_.format.block,
                      [this](int64_t n, const float* largest, float* factor, float* inverse, float* limit) {
                        for (int64_t b = 0; b < n; ++b) {
                          factor[b] = PowerOfTwoScale(grid_.largest, largest[b]);
                          inverse[b] = 1 / factor[b];
                          limit[b] = LimitOf(grid_, factor[b]);
                        }
                      });
  }

  void RoundNvfp4() {
    float scale = ScaleOfAll(kNvfp4Largest);
    // Block scales are rounded, maybe up, so a power of two could leave the range of floats.
    if (!std::isfinite(scale * kNvfp4Largest)) scale = F32Scale(kNvfp4Largest, LargestOfAll(rows_ * cols_, x_));
    out_.scales[0] = scale;
    RoundRowsOfBlocks(kNvfp4Block,
                      [scale](int64_t n, const float* largest, float* factor, float* inverse, float* limit) {
                        loops::Nvfp4Scales(n, scale, largest, factor, inverse);
                        std::fill_n(limit, n, kE2M1Largest);
                      });
  }

  void RoundToBF16() {
    InRanges(rows_ * cols_, kElementwiseGrain, [&](int64_t begin, int64_t count) {
      if (!is_stochastic()) return loops::Convert(count, x_ + begin, out_.values + begin);
      Draws draws = MakeDraws();
      for (int64_t at = begin; at < begin + count; at += kPiece) {
        const int64_t part = std::min(kPiece, begin + count - at);
        loops::RoundToBF16(part, x_ + at, draws.Of(at, part), out_.values + at);
      }
    });
  }

  const MatrixRounding& how_;
  const NumberGrid& grid_;
  int64_t rows_, cols_;
  const T* x_;
  RoundedMatrixPointers out_;
};

}  // namespace

template <typename T>
void RoundMatrix(const MatrixRounding& how, int64_t rows, int64_t cols, const T* x, const RoundedMatrixPointers& out) {
  Rounder<T>(how, rows, cols, x, out).Run();
}

template void RoundMatrix(const MatrixRounding&, int64_t, int64_t, const float*, const RoundedMatrixPointers&);
template void RoundMatrix(const MatrixRounding&, int64_t, int64_t, const BFloat16*, const RoundedMatrixPointers&);

}  // namespace twofour::kernels
