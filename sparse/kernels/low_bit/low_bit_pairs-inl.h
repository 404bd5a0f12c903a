// Products of few rows with weights of few bits by pairs of bf16, to which codes are decoded by tables. Compiled twice:
// see bf16_vectors-inl.h.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "twofour/core/float4.h"
#include "twofour/core/float8.h"
#include "twofour/core/half.h"
#include "twofour/core/parallel.h"
#include "twofour/core/x86_features.h"
#include "twofour/sparse/kernels/low_bit/low_bit_kernel.h"
#include "twofour/sparse/kernels/low_bit/low_bit_terms.h"
#include "twofour/sparse/kernels/low_bit/low_bit_vectors-inl.h"

TWOFOUR_LOW_BIT_BEFORE
namespace twofour::sparse::TWOFOUR_BF16 {
namespace {

using twofour::TWOFOUR_BF16::DotPairs;
using twofour::TWOFOUR_BF16::Loaded;
using twofour::TWOFOUR_BF16::LoadPairs;
using twofour::TWOFOUR_BF16::SumOf;
using twofour::TWOFOUR_BF16::ZeroFloats;

inline constexpr int64_t kVectorBytes = 64;
inline constexpr int kRows = static_cast<int>(kLowBitRows);
inline constexpr int kTogether = 4;  ///< Terms of x that share what is decoded.
/// How far ahead memory is asked for: a processor foresees no further than the end of a page.
inline constexpr int64_t kAheadBytes = 8192;

/// Codes of 8 bits as bf16: the lower and upper bytes of the 128 magnitudes stand in tables.
template <LowBitKind kind>
class Decoder {
 public:
  static constexpr bool kSigned = kind == LowBitKind::kInt8;  ///< The codes are integers, not signs and magnitudes.

  Decoder() {
    uint8_t low[2 * kHalfTable], high[2 * kHalfTable];
    for (int code = 0; code < 2 * kHalfTable; ++code) {
      const auto byte = static_cast<uint8_t>(code);
      const BFloat16 value(kSigned ? static_cast<float>(code) : static_cast<float>(Float8E4M3::FromBits(byte)));
      low[code] = static_cast<uint8_t>(value.bits()), high[code] = static_cast<uint8_t>(value.bits() >> 8);
    }
    low_[0] = LoadPairs(low), low_[1] = LoadPairs(low + kHalfTable);
    high_[0] = LoadPairs(high), high_[1] = LoadPairs(high + kHalfTable);
  }

  /// The values of steps 2 `two_steps` and 2 `two_steps` + 1 of a row, whose codes begin at `codes`.
  HWY_INLINE void operator()(const uint8_t* codes, int two_steps, Pairs (&values)[2]) const {
    const Pairs bytes = LoadPairs(codes + two_steps * kVectorBytes);
    const Pairs places = kSigned ? MagnitudesOfBytes(bytes) : bytes;
    const Pairs low = LookUpBytes(low_[0], low_[1], places);
    const Pairs high = WithSignsOfBytes(LookUpBytes(high_[0], high_[1], places), bytes);
    values[0] = LowerElements(low, high), values[1] = UpperElements(low, high);
  }

 private:
  Pairs low_[2], high_[2];
};

/// Codes of 4 bits.
template <>
class Decoder<LowBitKind::kNvfp4> {
 public:
  Decoder() {
    uint16_t values[2 * kLanes];
    for (int code = 0; code < 2 * kLanes; ++code) {
      values[code] = BFloat16(E2M1ToFloat(static_cast<uint8_t>(code % 16))).bits();
    }
    table_ = LoadPairs(values);
  }

  HWY_INLINE void operator()(const uint8_t* codes, int two_steps, Pairs (&values)[2]) const {
    const Pairs four_steps = LoadPairs(codes + two_steps / 2 * kVectorBytes);
    const int bits = two_steps % 2 * 8;
    values[0] = LookUpElements(table_, bits == 0 ? four_steps : ShiftElementsDown(four_steps, bits));
    values[1] = LookUpElements(table_, ShiftElementsDown(four_steps, bits + 4));
  }

 private:
  Pairs table_;
};

/// Adds the products of a tile's rows with kTerms rows of bf16. x points at the tile's vectors of the first of these.
template <LowBitKind kind, bool two_of_four, int kTerms>
HWY_INLINE void AddTile(const Decoder<kind>& decode, const uint8_t* tile, const uint32_t* x, int64_t stride,
                        Floats (&sum)[kRows][kTerms]) {
  constexpr LowBitTile kTile(kind, two_of_four);
  constexpr bool kBlockScales = kind == LowBitKind::kNvfp4;
  constexpr int kVectors = static_cast<int>(LowBitStepVectors(two_of_four));
  Floats added[kRows][kTerms];
  TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) {
    TWOFOUR_UNROLL for (int t = 0; t < kTerms; ++t) added[r][t] = kBlockScales ? ZeroFloats() : sum[r][t];
  }
  TWOFOUR_UNROLL for (int two_steps = 0; two_steps < kLowBitSteps / 2; ++two_steps) {
    // Bit by bit, because many requests at once hold up the loads that follow them.
    constexpr int64_t kPart = CeilDiv(kTile.bytes(), kLowBitSteps / 2);
    TWOFOUR_UNROLL for (int64_t at = 0; at < kPart; at += kVectorBytes) {
      Prefetch(tile + kAheadBytes + two_steps * kPart + at);
    }
    Pairs value[kRows][2];
    TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) decode(tile + kTile.CodesAt(r, 0), two_steps, value[r]);
    TWOFOUR_UNROLL for (int half = 0; half < 2; ++half) {
      const int step = 2 * two_steps + half;
      TWOFOUR_UNROLL for (int t = 0; t < kTerms; ++t) {
        const uint32_t* const from = x + t * stride + step * kVectors * kLanes;
        Pairs columns[kVectors];
        TWOFOUR_UNROLL for (int v = 0; v < kVectors; ++v) columns[v] = Loaded(LoadPairs(from + v * kLanes));
        TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) {
          Pairs chosen = columns[0];
          if constexpr (two_of_four) {
            const uint8_t* const masks = tile + kTile.OffsetsAt(r, step, 0);
            chosen = Choose(LoadMasks(masks), chosen, columns[1]);
            chosen = Choose(LoadMasks(masks + kTile.mask_bytes()), chosen, columns[2]);
          }
          added[r][t] = DotPairs(added[r][t], chosen, value[r][half]);
        }
      }
    }
  }
  TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) {
    if constexpr (kBlockScales) {
      const Floats scales = LoadE4M3(tile + kTile.ScalesAt(r));
      TWOFOUR_UNROLL for (int t = 0; t < kTerms; ++t) sum[r][t] = MulAddFloats(added[r][t], scales, sum[r][t]);
    } else {
      TWOFOUR_UNROLL for (int t = 0; t < kTerms; ++t) sum[r][t] = added[r][t];
    }
  }
}

/// Inner products of a quad's rows with kTerms rows of bf16. `last` is the last tile as a whole one, if it has fewer
/// spans.
template <LowBitKind kind, bool two_of_four, int kTerms>
HWY_NOINLINE void DotQuad(const LowBitView& w, const Decoder<kind>& decode, int64_t quad, const uint8_t* last,
                          const uint32_t* x, int64_t stride, float (*sums)[kLowBitRows]) {
  constexpr int64_t kTileVectors = kLowBitSteps * LowBitStepVectors(two_of_four) * kLanes;
  constexpr int64_t kTileBytes = LowBitTile(kind, two_of_four).bytes();
  Floats sum[kRows][kTerms];
  TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) {
    TWOFOUR_UNROLL for (int t = 0; t < kTerms; ++t) sum[r][t] = ZeroFloats();
  }
  const uint8_t* tile = w.TileAt(quad, 0);
  for (int64_t i = 0; i < w.whole_tiles(); ++i, tile += kTileBytes, x += kTileVectors) {
    AddTile<kind, two_of_four, kTerms>(decode, tile, x, stride, sum);
  }
  if (last != nullptr) AddTile<kind, two_of_four, kTerms>(decode, last, x, stride, sum);
  for (int r = 0; r < kRows; ++r) {
    for (int t = 0; t < kTerms; ++t) sums[t][r] = SumOf(sum[r][t]);
  }
}

template <LowBitKind kind, bool two_of_four>
void DotQuadWithAll(const LowBitView& w, const Decoder<kind>& decode, int64_t quad, const uint8_t* last,
                    const LowBitTerms& x, float (*sums)[kLowBitRows]) {
  for (int64_t term = 0; term < x.count(); term += kTogether) {
    const uint32_t* const from = x.pairs() + term * x.stride();
    switch (x.count() - term) {
      case 1:
        DotQuad<kind, two_of_four, 1>(w, decode, quad, last, from, x.stride(), sums + term);
        break;
      case 2:
        DotQuad<kind, two_of_four, 2>(w, decode, quad, last, from, x.stride(), sums + term);
        break;
      case 3:
        DotQuad<kind, two_of_four, 3>(w, decode, quad, last, from, x.stride(), sums + term);
        break;
      default:
        DotQuad<kind, two_of_four, kTogether>(w, decode, quad, last, from, x.stride(), sums + term);
    }
  }
}

/// Writes the outputs of quads `begin` to `end`. `sums` has room for [terms of x].
template <LowBitKind kind, bool two_of_four>
void MultiplyQuads(const LowBitView& w, int64_t begin, int64_t end, int64_t batch, const LowBitTerms& x,
                   const float* bias, float (*sums)[kLowBitRows], float* y) {
  alignas(kVectorBytes) uint8_t last[kMostLowBitTileBytes];
  const bool narrow = w.spans % kLowBitSpans != 0;
  const Decoder<kind> decode;
  for (int64_t quad = begin; quad < end; ++quad) {
    if (narrow) WidenTile(w, w.TileAt(quad, w.whole_tiles()), last);
    DotQuadWithAll<kind, two_of_four>(w, decode, quad, narrow ? last : nullptr, x, sums);
    for (int64_t r = 0; r < kLowBitRows && quad * kLowBitRows + r < w.rows; ++r) {
      const int64_t row = quad * kLowBitRows + r;
      for (int64_t b = 0; b < batch; ++b) {
        float sum = 0;
        for (int64_t term = x.begin(b); term < x.begin(b + 1); ++term) sum += sums[term][r];
        const float product = sum * w.ScaleOf(row);
        y[b * w.rows + row] = bias == nullptr ? product : product + bias[row];
      }
    }
  }
}

using QuadsProduct = void (*)(const LowBitView&, int64_t, int64_t, int64_t, const LowBitTerms&, const float*,
                              float (*)[kLowBitRows], float*);

template <bool two_of_four>
QuadsProduct ProductOf(LowBitKind kind) {
  switch (kind) {
    case LowBitKind::kInt8:
      return MultiplyQuads<LowBitKind::kInt8, two_of_four>;
    case LowBitKind::kE4M3:
      return MultiplyQuads<LowBitKind::kE4M3, two_of_four>;
    default:
      return MultiplyQuads<LowBitKind::kNvfp4, two_of_four>;
  }
}

}  // namespace
}  // namespace twofour::sparse::TWOFOUR_BF16
TWOFOUR_LOW_BIT_AFTER

// Runs on every processor, so it is compiled for the baseline.
namespace twofour::sparse::TWOFOUR_BF16 {
namespace {

void MultiplyPairs(const LowBitView& weight, int64_t batch, const float* x, const float* bias, float* y) {
  const LowBitTerms terms(weight, batch, x);
  const QuadsProduct product = weight.two_of_four ? ProductOf<true>(weight.kind) : ProductOf<false>(weight.kind);
  ParallelFor(weight.quads(), LowBitGrain(weight), [&](int64_t begin, int64_t end) {
    std::vector<float> sums(static_cast<size_t>(terms.count() * kLowBitRows));
    product(weight, begin, end, batch, terms, bias, reinterpret_cast<float(*)[kLowBitRows]>(sums.data()), y);
  });
}

}  // namespace

LowBitKernel LowBitPairs() {
  return {.name = TWOFOUR_BF16_NATIVE ? "low_bit_pairs_avx512bf16" : "low_bit_pairs_emulated",
          .isa = TWOFOUR_BF16_NATIVE ? Isa::kAvx512Bf16 : Isa::kAny,
          .emulated = !TWOFOUR_BF16_NATIVE,
          .processor_can = TWOFOUR_BF16_NATIVE ? HasAvx512Vbmi : nullptr,
          .multiply = MultiplyPairs};
}

}  // namespace twofour::sparse::TWOFOUR_BF16
