// Shapes of y = c_proj(relu(c_fc(x))^2), with b for the batch:
//   x, dx        [b, in]        row-major
//   h, dh        [b, hidden]    a PanelMatrix: panels of kPanel batch rows, each [hidden][kPanel]
//   y, dy        [b, out]       row-major
//   W_fc         [hidden, in]   2:4 or V:N:M, packed as a PairBucketStream: strips of four rows
//   W_proj       [out, hidden]  2:4 or V:N:M, likewise
//
// Forward:
//   Hidden        h = relu(x W_fc^T + b_fc)^2
//   Product       y = h W_proj^T + b_proj; ListProduct instead where h has many zeros
// Backward:
//   ListProduct   dW_proj = dy^T h
//   HiddenGrad    dh = 2 sqrt(h) * (dy W_proj), which takes the place of h, and db_fc
//   ListProduct   dW_fc = dh^T x
//   Product       dx = dh W_fc; ListProduct instead where dh has many zeros
//
// x, h, y and their gradients are of one type T: float, or BFloat16, which is widened when it is loaded and rounded
// when it is stored.
#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/fused_mlp/add_panels.h"
#include "twofour/sparse/kernels/fused_mlp/fused_mlp_kernel.h"
#include "twofour/sparse/kernels/linear/linear_kernel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/sparse/kernels/fused_mlp/fused_mlp_kernel.cc"
#include <hwy/foreach_target.h>
//
#include "twofour/core/kernels/simd/simd_isa.h"
#include "twofour/sparse/kernels/fused_mlp/list_product-inl.h"
#include "twofour/sparse/kernels/fused_mlp/sampled_grad-inl.h"
#include "twofour/sparse/kernels/pair_bucket/masked_stream-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace {

/// Calls call(vectors, panel, first, last) for each item of work in [begin, end): it is a panel of batch rows, which
/// fill `vectors` vectors, times strips [first, last) of the matrix.
template <typename Call>
void ForEachItem(const FloatStream& m, const PanelWork& work, int64_t begin, int64_t end, int64_t batch,
                 const Call& call) {
  for (int64_t item = begin; item < end; ++item) {
    const int64_t panel = item / work.ranges;
    const int64_t first = std::min(item % work.ranges * work.strips, m.strips());
    const int64_t last = std::min(first + work.strips, m.strips());
    WithVectors(std::min(kPanel, batch - panel * kPanel), [&](auto vectors) { call(vectors, panel, first, last); });
  }
}

/// Where a sink lets the results of a strip be written: to the panel itself if it holds floats, or else to memory of
/// its own, from which they are rounded.
template <typename T>
class PanelTarget {
 public:
  explicit PanelTarget(T* values) : values_(values) {}

  HWY_INLINE float* At(int64_t strip) {
    if constexpr (std::is_same_v<T, float>) return values_ + strip * 4 * kPanel;
    return floats_;
  }
  /// Tells that vectors of a strip are written.
  HWY_INLINE void Done(int64_t strip) {
    if constexpr (!std::is_same_v<T, float>) {
      T* const to = values_ + strip * 4 * kPanel;
      for (int64_t i = 0; i < 4 * kPanel; i += kLanes) StoreFromF32(d, hn::Load(d, floats_ + i), to + i);
    }
  }

 private:
  T* const values_;
  HWY_ALIGN float floats_[4 * kPanel] = {};
};

/// Vectors rounded to T.
template <typename T>
HWY_INLINE V RoundedTo(V v) {
  if constexpr (std::is_same_v<T, float>) return v;
  HWY_ALIGN T rounded[kLanes];
  StoreFromF32(d, v, rounded);
  return LoadAsF32(d, rounded);
}

/// Writes h = relu(v + bias)^2 into a panel, and the words that say which of it is not zero.
template <typename T>
class HiddenSink {
 public:
  HiddenSink(PanelMatrix& hidden, int64_t panel, const float* bias)
      : target_(hidden.values<T>(panel)),
        nonzero_(hidden.nonzero(panel)),
        valid_(hidden.valid_bits(panel)),
        bias_(bias) {}

  HWY_INLINE float* Target(int64_t strip) { return target_.At(strip); }

  HWY_INLINE V Finish(int64_t strip, int r, int t, V v) {
    if (bias_ != nullptr) v = hn::Add(v, hn::Set(d, bias_[strip * 4 + r]));
    const V positive = Positive(v);
    const V squared = RoundedTo<T>(hn::Mul(positive, positive));
    uint8_t bytes[8] = {};
    hn::StoreMaskBits(d, hn::Not(hn::Eq(squared, hn::Zero(d))), bytes);  // Not Ne: a NaN counts as non-zero.
    uint64_t bits;
    std::memcpy(&bits, bytes, sizeof(bits));
    bits_[r] |= bits << (t * kLanes);
    return squared;
  }

  HWY_INLINE void Done(int64_t strip) {
    for (int r = 0; r < 4; ++r) {
      nonzero_[strip * 4 + r] = bits_[r] & valid_;
      bits_[r] = 0;
    }
    target_.Done(strip);
  }

 private:
  PanelTarget<T> target_;
  uint64_t* const nonzero_;
  const uint64_t valid_;
  const float* const bias_;
  uint64_t bits_[4] = {};
};

/// Transposes blocks of rows of x [batch, m.cols()] into `block`.
template <typename T>
auto TransposedRows(const FloatStream& m, const void* x, int64_t panel, int64_t rows, float* block) {
  return [=](int64_t col, int64_t cols) {
    PackPanel(static_cast<const T*>(x) + panel * kPanel * m.cols() + col, m.cols(), rows, cols, block);
    return block;
  };
}

template <typename T>
void Hidden(const PackedWeight& packed, const void* x, const float* bias, PanelMatrix& hidden) {
  const FloatStream m = StreamFor<T>(packed);
  const PanelWork work = WorkOf(m, hidden.batch());
  ParallelFor(work.items(), work.grain, [&](int64_t begin, int64_t end) {
    AlignedBuffer<float> block(m.block_cols() * kPanel);
    AlignedBuffer<float> beside(std::is_same_v<T, float> ? 0 : SumsFor(work.strips, kPanel));
    ForEachItem(m, work, begin, end, hidden.batch(), [&](auto vectors, int64_t panel, int64_t first, int64_t last) {
      // 1. Where RunPanel asks for columns of x, transpose them into a block.
      const auto source = TransposedRows<T>(m, x, panel, hidden.rows(panel), block.data());
      // 2. Sum up x W^T, in the panel of h itself if it holds floats; the sink makes h of the sums.
      float* sums = beside.data();
      if constexpr (std::is_same_v<T, float>) sums = hidden.values(panel) + first * 4 * kPanel;
      HiddenSink<T> sink(hidden, panel, bias);
      RunPanel<decltype(vectors)::value>(m, first, last, source, sums, sink);
    });
  });
}

template <typename T>
void Product(const PackedWeight& packed, const PanelMatrix& activations, const float* bias, void* out_elements) {
  const FloatStream m = StreamFor<T>(packed);
  auto* const out = static_cast<T*>(out_elements);
  const PanelWork work = WorkOf(m, activations.batch());
  const bool stream = ShouldStream(out, activations.batch(), m.rows());
  ParallelFor(work.items(), work.grain, [&](int64_t begin, int64_t end) {
    AlignedBuffer<float> sums(SumsFor(work.strips, kPanel)),
        block(std::is_same_v<T, float> ? 0 : m.block_cols() * kPanel);
    ForEachItem(m, work, begin, end, activations.batch(),
                [&](auto vectors, int64_t panel, int64_t first, int64_t last) {
                  // 1. The activations lie in panels already. Widen a block of them, unless they are floats.
                  const auto source = [&](int64_t col, [[maybe_unused]] int64_t cols) -> const float* {
                    const T* const from = activations.values<T>(panel) + col * kPanel;
                    if constexpr (std::is_same_v<T, float>) {
                      return from;
                    } else {
                      for (int64_t i = 0; i < cols * kPanel; i += kLanes) {
                        hn::Store(LoadAsF32(d, from + i), d, block.data() + i);
                      }
                      return block.data();
                    }
                  };
                  // 2. The sink writes the sums to the rows of out, with the bias.
                  RowMajorSink<T> sink({.bias = bias}, activations.rows(panel), first, last,
                                       out + panel * kPanel * m.rows(), m.rows(), stream);
                  RunPanel<decltype(vectors)::value>(m, first, last, source, sums.data(), sink);
                });
    if (stream) hwy::FlushStream();
  });
}

/// Replaces a panel of h by dh = 2 sqrt(h) v, where v is dy W_proj, and sums dh over the panel's batch rows.
template <typename T>
class HiddenGradSink {
 public:
  /// Of the panel, `rows` batch rows are in use.
  HiddenGradSink(T* values, int64_t rows, float* row_sums)
      : values_(values), rows_(rows), target_(values), row_sums_(row_sums) {}

  HWY_INLINE float* Target(int64_t strip) { return target_.At(strip); }

  HWY_INLINE V Finish(int64_t strip, int r, int t, V v) {
    V h = LoadAsF32(d, values_ + (strip * 4 + r) * kPanel + t * kLanes);
    // Beyond the batch there may be anything, and a NaN would spoil the sums.
    if (const int64_t left = rows_ - t * kLanes; left < kLanes) {
      h = hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(std::max<int64_t>(left, 0))), h);
    }
    const V root = hn::Sqrt(h);  // The number that was squared, to the bit, unless its square over- or underflowed.
    const V grad = hn::Mul(hn::Add(root, root), v);
    sums_[r] = t == 0 ? grad : hn::Add(sums_[r], grad);
    return grad;
  }

  HWY_INLINE void Done(int64_t strip) {
    for (int r = 0; r < 4; ++r) row_sums_[strip * 4 + r] = hn::GetLane(hn::SumOfLanes(d, sums_[r]));
    target_.Done(strip);
  }

 private:
  T* const values_;
  const int64_t rows_;
  PanelTarget<T> target_;
  float* const row_sums_;
  V sums_[4];
};

template <typename T>
void HiddenGrad(const PackedWeight& packed, const void* dy, PanelMatrix& hidden, float* bias_grad) {
  const FloatStream m = StreamFor<T>(packed);
  const PanelWork work = WorkOf(m, hidden.batch());
  std::vector<float> panel_sums(static_cast<size_t>(hidden.panels() * hidden.features()));
  ParallelFor(work.items(), work.grain, [&](int64_t begin, int64_t end) {
    AlignedBuffer<float> block(m.block_cols() * kPanel), sums(SumsFor(work.strips, kPanel));
    ForEachItem(m, work, begin, end, hidden.batch(), [&](auto vectors, int64_t panel, int64_t first, int64_t last) {
      // 1. Where RunPanel asks for columns of dy, transpose them into a block.
      const auto source = TransposedRows<T>(m, dy, panel, hidden.rows(panel), block.data());
      // 2. Sum up dy W; the sink makes dh of the sums and of h, in its place.
      HiddenGradSink<T> sink(hidden.values<T>(panel), hidden.rows(panel),
                             panel_sums.data() + panel * hidden.features());
      RunPanel<decltype(vectors)::value>(m, first, last, source, sums.data(), sink);
    });
  });

  // 3. bias_grad [hidden] = the panels' sums.
  AddPanels(hidden, panel_sums.data(), bias_grad);
}

/// HiddenGrad where the activations are not zero.
template <typename T>
void SampledHiddenGrad(const float* weight, const MaskView& mask, const void* dy_elements, PanelMatrix& hidden,
                       float* bias_grad) {
  const int64_t out = mask.rows, pitch = RoundUp(out, kGroup);
  const auto* const dy = static_cast<const T*>(dy_elements);
  // 1. turned [hidden][pitch] = the masked weight, transposed.
  AlignedBuffer<float> turned(mask.cols * pitch);
  TurnMasked<T>(weight, mask, pitch, turned.data());

  const PanelWork work(mask.cols / kTileSize, out, hidden.batch(), kPanel, kGroup / 4);
  std::vector<float> panel_sums(static_cast<size_t>(hidden.panels() * hidden.features()));
  ParallelFor(work.items(), work.grain, [&](int64_t begin, int64_t end) {
    AlignedBuffer<float> rows(kPanel * pitch);
    int64_t widened = -1;
    for (int64_t item = begin; item < end; ++item) {
      const int64_t panel = item / work.ranges, first = item % work.ranges * work.strips;
      const int64_t last = std::min(first + work.strips, hidden.features() / kTileSize);
      // 2. The panel's rows of dy as floats, whole vectors each, unless the last item had the same.
      for (int64_t r = 0; r < hidden.rows(panel) && panel != widened; ++r) {
        const T* const from = dy + (panel * kPanel + r) * out;
        float* const to = rows.data() + r * pitch;
        std::fill(std::transform(from, from + out, to, [](T x) { return static_cast<float>(x); }), to + pitch, 0.0f);
      }
      widened = panel;
      // 3. Inner products where h is not zero; the sink makes dh of them and of h, in its place.
      HiddenGradSink<T> sink(hidden.values<T>(panel), hidden.rows(panel),
                             panel_sums.data() + panel * hidden.features());
      for (int64_t strip = first; strip < last; ++strip) {
        float* const target = sink.Target(strip);
        for (int r = 0; r < kTileSize; ++r) {
          const int64_t feature = strip * kTileSize + r;
          HWY_ALIGN float sums[kPanel];
          SampleRow(rows.data(), pitch, turned.data() + feature * pitch, pitch, hidden.nonzero(panel)[feature], sums);
          for (int t = 0; t * kLanes < hidden.rows(panel); ++t) {  // Others hold anything, NaNs for example.
            const V grad = sink.Finish(strip, r, t, hn::Load(d, sums + t * kLanes));
            hn::Store(grad, d, target + r * kPanel + t * kLanes);
          }
        }
        sink.Done(strip);
      }
    }
  });
  AddPanels(hidden, panel_sums.data(), bias_grad);
}

}  // namespace
}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

// Runs on every processor: see simd_table.h.
namespace twofour::sparse::HWY_NAMESPACE {

template <typename T>
FusedMlpKernel FusedMlpKernelFor() {
  constexpr Isa kIsa = IsaOf(HWY_TARGET);
  constexpr DType kActivation = DTypeOf<T>();
  return {.name = fmt::format("fused_mlp_{}{}", kActivation == DType::kBF16 ? "bf16_" : "", NameOf(kIsa)),
          .linear = FindLinearKernel(PairBucketStream::LayoutFor(kActivation), kIsa),
          .vnm_linear = FindLinearKernel(kVnmLayoutFor<T>, kIsa),
          .panel = kPanel,
          .list_density = HWY_TARGET == HWY_AVX3 ? 0.18 : 0.24,
          .sample_density = HWY_TARGET == HWY_AVX3 ? 0.13 : 0.19,
          .hidden = Hidden<T>,
          .product = Product<T>,
          .hidden_grad = HiddenGrad<T>,
          .sampled_hidden_grad = SampledHiddenGrad<T>,
          .lists = Lists,
          .other_values = OtherValues,
          .list_product = ListProduct<T>};
}

}  // namespace twofour::sparse::HWY_NAMESPACE

#if HWY_ONCE
#include "twofour/core/kernels/simd/simd_table.h"

namespace twofour::sparse {

std::vector<FusedMlpKernel> WideFusedMlpKernels() {
#define TWOFOUR_ROW(space, isa) space::FusedMlpKernelFor<float>(),
#define TWOFOUR_BF16_ROW(space, isa) space::FusedMlpKernelFor<BFloat16>(),
  return {TWOFOUR_FOR_EACH_ISA(TWOFOUR_ROW) TWOFOUR_FOR_EACH_ISA(TWOFOUR_BF16_ROW)};
#undef TWOFOUR_ROW
#undef TWOFOUR_BF16_ROW
}

}  // namespace twofour::sparse
#endif
