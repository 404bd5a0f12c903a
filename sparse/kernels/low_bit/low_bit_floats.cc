// Products of few rows with weights of few bits by floats, for processors without products of bf16.
#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>

#include "twofour/core/float4.h"
#include "twofour/core/float8.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/low_bit/low_bit_float_rows.h"
#include "twofour/sparse/kernels/low_bit/low_bit_kernel.h"
#include "twofour/sparse/kernels/low_bit/low_bit_terms.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/sparse/kernels/low_bit/low_bit_floats.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "twofour/core/kernels/simd/simd_isa.h"
#include "twofour/core/kernels/simd/unroll.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int kEight = 8;                          // Values that are decoded together: four pairs.
constexpr int kParts = 2 * kLowBitSpans / kEight;  // Of a step.
constexpr int64_t kStepFloats = 2 * kLowBitSpans;  // Of a vector of a step.

#if HWY_TARGET == HWY_SCALAR

constexpr int kVectors = kEight;
using V = float;

HWY_INLINE float ZeroOf() { return 0; }
HWY_INLINE float LoadOf(const float* from) { return *from; }
HWY_INLINE float MulAddOf(float a, float b, float c) { return a * b + c; }
HWY_INLINE float SumOf(const float (&x)[kVectors]) {
  float sum = 0;
  for (const float lane : x) sum += lane;
  return sum;
}

class MaskReader {
 public:
  using Mask = bool;
  explicit MaskReader(int part) : part_(part) {}
  HWY_INLINE bool operator()(const uint8_t* masks, int v) const { return (masks[part_] >> v & 1) != 0; }

 private:
  int part_;
};
HWY_INLINE float Choose(bool mask, float a, float b) { return mask ? b : a; }

template <LowBitKind kind>
class Decoder {
 public:
  using Four = const uint8_t*;
  HWY_INLINE Four Load(const uint8_t* codes) const { return codes; }
  HWY_INLINE void Values(Four four, int step, float (&values)[kVectors]) const {
    for (int i = 0; i < kEight; ++i) {
      if (kind == LowBitKind::kNvfp4) {
        values[i] = E2M1ToFloat(static_cast<uint8_t>(four[2 * i + step / 2] >> (step % 2 * 4)));
      } else {
        const uint8_t code = four[step / 2 * 64 + step % 2 * 8 + i];
        values[i] = kind == LowBitKind::kInt8 ? static_cast<float>(static_cast<int8_t>(code))
                                              : static_cast<float>(Float8E4M3::FromBits(code));
      }
    }
  }
};
HWY_INLINE void LoadScales(const uint8_t* from, float (&scales)[kVectors]) {
  for (int i = 0; i < kEight; ++i) scales[i] = static_cast<float>(Float8E4M3::FromBits(from[i / 2]));
}

#else

using D = hn::CappedTag<float, kEight>;
using DU = hn::RebindToUnsigned<D>;
using DI = hn::RebindToSigned<D>;
using V = hn::Vec<D>;
constexpr int kLanes = hn::MaxLanes(D());  // 4 or 8.
constexpr int kVectors = kEight / kLanes;
using D8 = hn::Full128<uint8_t>;
using DI8 = hn::Full128<int8_t>;

HWY_INLINE V ZeroOf() { return hn::Zero(D()); }
HWY_INLINE V LoadOf(const float* from) { return hn::LoadU(D(), from); }
HWY_INLINE V MulAddOf(V a, V b, V c) { return hn::MulAdd(a, b, c); }
HWY_INLINE float SumOf(const V (&x)[kVectors]) {
  V sum = x[0];
  for (int v = 1; v < kVectors; ++v) sum = hn::Add(sum, x[v]);
  return hn::GetLane(hn::SumOfLanes(D(), sum));
}

/// Reads the masks of a part of a step: of lanes of its vector v.
class MaskReader {
 public:
#if HWY_TARGET == HWY_AVX2
  /// Only the highest bit of each lane counts.
  using Mask = __m256;
  explicit MaskReader(int part)
      : up_(hn::Sub(hn::Set(DU(), static_cast<uint32_t>(31 - kEight * part)), hn::Iota(DU(), 0))) {}
  HWY_INLINE Mask operator()(const uint8_t* masks, int /*v*/) const {
    return _mm256_castsi256_ps(_mm256_sllv_epi32(_mm256_broadcastd_epi32(_mm_loadu_si32(masks)), up_.raw));
  }

 private:
  hn::Vec<DU> up_;
#else
  using Mask = hn::Mask<D>;
  explicit MaskReader(int part) : part_(part) {}
  HWY_INLINE Mask operator()(const uint8_t* masks, int v) const {
    const DU du;
    const auto bits = hn::Set(du, uint32_t{masks[part_]} >> (v * kLanes));
    HWY_ALIGN static constexpr uint32_t kBits[kEight] = {1, 2, 4, 8, 16, 32, 64, 128};
    return hn::RebindMask(D(), hn::TestBit(bits, hn::Load(du, kBits)));
  }

 private:
  int part_;
#endif
};

/// Of each lane b's where its mask is set, and a's elsewhere.
HWY_INLINE V Choose(MaskReader::Mask mask, V a, V b) {
#if HWY_TARGET == HWY_AVX2
  return V{_mm256_blendv_ps(a.raw, b.raw, mask)};
#else
  return hn::IfThenElse(mask, b, a);
#endif
}

/// The whole numbers of eight bytes.
template <class Half>
HWY_INLINE void PromoteBytes(Half bytes, hn::Vec<DI> (&to)[kVectors]) {
  if constexpr (kLanes == kEight) {
    to[0] = hn::PromoteTo(DI(), bytes);
  } else {
    const hn::Full128<int16_t> wide;
    const auto words = hn::PromoteTo(wide, bytes);
    to[0] = hn::PromoteTo(DI(), hn::LowerHalf(words));
    to[kVectors - 1] = hn::PromoteTo(DI(), hn::UpperHalf(hn::Half<decltype(wide)>(), words));
  }
}

HWY_INLINE hn::Vec<hn::Half<DI8>> LoadEight(const uint8_t* from) {
  const hn::Half<DI8> d;
  return hn::LoadU(d, reinterpret_cast<const int8_t*>(from));
}

HWY_INLINE V FloatsOfE4M3(hn::Vec<DI> codes) {
  const DI d;
  // The sign, and the rest where a float has the lowest bits of its exponent and the highest of its mantissa. Of E4M3's
  // exponents, 0 has the same meaning as of float's, so a factor makes up for the bias.
  const auto bits = hn::And(hn::ShiftLeft<20>(codes), hn::Set(d, static_cast<int32_t>(0x87f00000U)));
  return hn::Mul(hn::BitCast(D(), bits), hn::Set(D(), 0x1p120F));
}

/// Codes of 8 bits.
template <LowBitKind kind>
class Decoder {
 public:
  /// A part of four steps.
  using Four = const uint8_t*;
  HWY_INLINE Four Load(const uint8_t* codes) const { return codes; }
  HWY_INLINE void Values(Four four, int step, V (&values)[kVectors]) const {
    hn::Vec<DI> codes[kVectors];
    PromoteBytes(LoadEight(four + step / 2 * 64 + step % 2 * 8), codes);
    TWOFOUR_UNROLL for (int v = 0; v < kVectors; ++v) {
      values[v] = kind == LowBitKind::kInt8 ? hn::ConvertTo(D(), codes[v]) : FloatsOfE4M3(codes[v]);
    }
  }
};

/// Codes of 4 bits, as twice their values, which are whole numbers.
template <>
class Decoder<LowBitKind::kNvfp4> {
 public:
  /// Bytes of steps 0 and 2, and of steps 1 and 3: eight each.
  struct Four {
    hn::Vec<DI8> even, odd;
  };

  HWY_INLINE Four Load(const uint8_t* codes) const {
    const D8 d;
    HWY_ALIGN static constexpr uint8_t kPlaces[16] = {0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15};
    HWY_ALIGN static constexpr uint8_t kTwice[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, 255, 254, 253, 252, 250, 248, 244};
    const auto bytes = hn::TableLookupBytes(hn::LoadU(d, codes), hn::Load(d, kPlaces));
    const auto mask = hn::Set(d, 15), twice = hn::Load(d, kTwice);
    const auto high = hn::BitCast(d, hn::ShiftRight<4>(hn::BitCast(hn::Full128<uint16_t>(), bytes)));
    return {hn::BitCast(DI8(), hn::TableLookupBytes(twice, hn::And(bytes, mask))),
            hn::BitCast(DI8(), hn::TableLookupBytes(twice, hn::And(high, mask)))};
  }
  HWY_INLINE void Values(const Four& four, int step, V (&values)[kVectors]) const {
    const hn::Half<DI8> half;
    const auto bytes = step % 2 == 0 ? four.even : four.odd;
    hn::Vec<DI> codes[kVectors];
    PromoteBytes(step < 2 ? hn::LowerHalf(half, bytes) : hn::UpperHalf(half, bytes), codes);
    TWOFOUR_UNROLL for (int v = 0; v < kVectors; ++v) values[v] = hn::ConvertTo(D(), codes[v]);
  }
};

/// Half of four block scales, each for a pair of lanes.
HWY_INLINE void LoadScales(const uint8_t* from, V (&scales)[kVectors]) {
  const D8 d;
  HWY_ALIGN static constexpr uint8_t kPlaces[16] = {0, 0, 1, 1, 2, 2, 3, 3};
  uint32_t four;
  std::memcpy(&four, from, sizeof(four));
  const auto pairs = hn::TableLookupBytes(hn::BitCast(d, hn::Set(hn::Full128<uint32_t>(), four)), hn::Load(d, kPlaces));
  hn::Vec<DI> codes[kVectors];
  PromoteBytes(hn::LowerHalf(hn::Half<DI8>(), hn::BitCast(DI8(), pairs)), codes);
  for (int v = 0; v < kVectors; ++v) scales[v] = hn::Mul(FloatsOfE4M3(codes[v]), hn::Set(D(), 0.5F));
}

#endif

/// Keeps compilers from giving each address that is computed from this one a register of its own.
template <typename T>
HWY_INLINE const T* Base(const T* address) {
  asm("" : "+r"(address));
  return address;
}

/// Adds the products of kRows rows of a tile, whose parts begin at `rows`, with kBatch rows of x, which points at the
/// tile's vectors of the first one.
template <LowBitKind kind, bool two_of_four, int kRows, int kBatch>
HWY_INLINE void AddTile(const Decoder<kind>& decode, const LowBitTileRows& rows, const float* x, int64_t ldx,
                        V (&sum)[kRows][kBatch][kVectors]) {
  constexpr LowBitTile kTile(kind, two_of_four);
  constexpr bool kBlockScales = kind == LowBitKind::kNvfp4;
  constexpr int kColumns = static_cast<int>(LowBitStepVectors(two_of_four));
  for (int part = 0; part < kParts; ++part) {
    const MaskReader masks(part);
    V added[kRows][kBatch][kVectors];
    TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) {
      TWOFOUR_UNROLL for (int b = 0; b < kBatch; ++b) {
        TWOFOUR_UNROLL for (int v = 0; v < kVectors; ++v) added[r][b][v] = kBlockScales ? ZeroOf() : sum[r][b][v];
      }
    }
    for (int group = 0; group < kLowBitSteps / 4; ++group) {
      const uint8_t* const codes =
          Base(rows.codes + kTile.CodesAt(0, 4 * group) - kTile.CodesAt(0, 0) + part * 2 * kEight);
      const uint8_t* const offsets = Base(rows.offsets + kTile.OffsetsAt(0, 4 * group, 0));
      const float* const columns_of_group = Base(x + 4 * group * kColumns * kStepFloats + part * kEight);
      typename Decoder<kind>::Four four[kRows];
      TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) { four[r] = decode.Load(codes + r * kTile.row_codes()); }
      TWOFOUR_UNROLL for (int step = 0; step < 4; ++step) {
        V value[kRows][kVectors];
        TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) decode.Values(four[r], step, value[r]);
        const float* const from = columns_of_group + step * kColumns * kStepFloats;
        TWOFOUR_UNROLL for (int v = 0; v < kVectors; ++v) {
          MaskReader::Mask by_one[kRows], by_two[kRows];  // For one row of x, registers do not hold those of all rows.
          TWOFOUR_UNROLL for (int r = 0; r < kRows && two_of_four && kBatch > 1; ++r) {
            by_one[r] = masks(offsets + kTile.OffsetsAt(r, step, 0), v);
            by_two[r] = masks(offsets + kTile.OffsetsAt(r, step, 1), v);
          }
          TWOFOUR_UNROLL for (int b = 0; b < kBatch; ++b) {
            V columns[kColumns];
            TWOFOUR_UNROLL for (int c = 0; c < kColumns; ++c) {
              columns[c] = LoadOf(from + b * ldx + c * kStepFloats + v * (kEight / kVectors));
            }
            TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) {
              V chosen = columns[0];
              if constexpr (two_of_four && kBatch == 1) {
                chosen = Choose(masks(offsets + kTile.OffsetsAt(r, step, 0), v), chosen, columns[1]);
                chosen = Choose(masks(offsets + kTile.OffsetsAt(r, step, 1), v), chosen, columns[2]);
              } else if constexpr (two_of_four) {
                chosen = Choose(by_two[r], Choose(by_one[r], chosen, columns[1]), columns[2]);
              }
              added[r][b][v] = MulAddOf(value[r][v], chosen, added[r][b][v]);
            }
          }
        }
      }
    }
    TWOFOUR_UNROLL for (int r = 0; r < kRows; ++r) {
      V scales[kVectors];
      if constexpr (kBlockScales) LoadScales(rows.scales + r * kTile.row_scales() + part * kEight / 2, scales);
      TWOFOUR_UNROLL for (int b = 0; b < kBatch; ++b) {
        TWOFOUR_UNROLL for (int v = 0; v < kVectors; ++v) {
          if constexpr (kBlockScales) {
            sum[r][b][v] = MulAddOf(added[r][b][v], scales[v], sum[r][b][v]);
          } else {
            sum[r][b][v] = added[r][b][v];
          }
        }
      }
    }
  }
}

/// Writes the outputs of a quad's rows for kBatch rows of x. `last` is the last tile as a whole one, if it has fewer
/// spans.
template <LowBitKind kind, bool two_of_four, int kBatch>
HWY_NOINLINE void MultiplyQuad(const LowBitView& w, int64_t quad, const uint8_t* last, const float* x, int64_t ldx,
                               const float* bias, float* y) {
  // As many sums as registers hold, beside codes of 4 bits.
  constexpr int kRows = kBatch == 1 && kind != LowBitKind::kNvfp4 ? 4 : 2;
  constexpr int64_t kTileFloats = kLowBitSteps * LowBitStepVectors(two_of_four) * kStepFloats;
  constexpr LowBitTile kTile(kind, two_of_four);
  constexpr int64_t kTileBytes = kTile.bytes();
  const Decoder<kind> decode;
  for (int64_t first = 0; first < kLowBitRows && quad * kLowBitRows + first < w.rows; first += kRows) {
    V sum[kRows][kBatch][kVectors];
    for (auto& row : sum) {
      for (auto& one : row) std::fill_n(one, kVectors, ZeroOf());
    }
    const uint8_t* tile = w.TileAt(quad, 0);
    const float* from = x;
    for (int64_t i = 0; i < w.whole_tiles(); ++i, tile += kTileBytes, from += kTileFloats) {
      AddTile<kind, two_of_four, kRows, kBatch>(decode, kTile.RowsFrom(tile, first), from, ldx, sum);
    }
    if (last != nullptr) AddTile<kind, two_of_four, kRows, kBatch>(decode, kTile.RowsFrom(last, first), from, ldx, sum);
    for (int r = 0; r < kRows && quad * kLowBitRows + first + r < w.rows; ++r) {
      const int64_t row = quad * kLowBitRows + first + r;
      for (int b = 0; b < kBatch; ++b) {
        const float product = SumOf(sum[r][b]) * w.ScaleOf(row);
        y[b * w.rows + row] = bias == nullptr ? product : product + bias[row];
      }
    }
  }
}

/// Writes the outputs of quads `begin` to `end`.
template <LowBitKind kind, bool two_of_four>
void MultiplyQuads(const LowBitView& w, int64_t begin, int64_t end, int64_t batch, const LowBitFloatRows& x,
                   const float* bias, float* y) {
  HWY_ALIGN uint8_t wide[kMostLowBitTileBytes];
  const bool narrow = w.spans % kLowBitSpans != 0;
  const uint8_t* const last = narrow ? wide : nullptr;
  for (int64_t quad = begin; quad < end; ++quad) {
    if (narrow) WidenTile(w, w.TileAt(quad, w.whole_tiles()), wide);
    int64_t b = 0;
    for (; b + 2 <= batch; b += 2) {  // Registers hold no more.
      MultiplyQuad<kind, two_of_four, 2>(w, quad, last, x.row(b), x.stride(), bias, y + b * w.rows);
    }
    if (b < batch) MultiplyQuad<kind, two_of_four, 1>(w, quad, last, x.row(b), x.stride(), bias, y + b * w.rows);
  }
}

using QuadsProduct = void (*)(const LowBitView&, int64_t, int64_t, int64_t, const LowBitFloatRows&, const float*,
                              float*);

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
}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

// Runs on every processor: see simd_table.h.
namespace twofour::sparse::HWY_NAMESPACE {
namespace {

void MultiplyFloats(const LowBitView& weight, int64_t batch, const float* x, const float* bias, float* y) {
  const LowBitFloatRows floats(weight, batch, x);
  const QuadsProduct product = weight.two_of_four ? ProductOf<true>(weight.kind) : ProductOf<false>(weight.kind);
  ParallelFor(weight.quads(), LowBitGrain(weight),
              [&](int64_t begin, int64_t end) { product(weight, begin, end, batch, floats, bias, y); });
}

}  // namespace

LowBitKernel LowBitFloatKernel() {
  constexpr Isa kIsa = IsaOf(HWY_TARGET);
  return {.name = "low_bit_floats_" + std::string(NameOf(kIsa)), .isa = kIsa, .multiply = MultiplyFloats};
}

}  // namespace twofour::sparse::HWY_NAMESPACE

#if HWY_ONCE
#include <vector>

#include "twofour/core/kernels/simd/simd_table.h"

namespace twofour::sparse {

std::vector<LowBitKernel> LowBitFloatKernels() {
#define TWOFOUR_ROW(space, isa) space::LowBitFloatKernel(),
  return {TWOFOUR_FOR_EACH_ISA(TWOFOUR_ROW)};
#undef TWOFOUR_ROW
}

}  // namespace twofour::sparse
#endif  // HWY_ONCE
