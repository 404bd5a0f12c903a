// The MLP as one op in bf16. See fused_mlp_kernel.cc for shapes and for the order of the products; here x, y, h and
// their gradients are bf16. Compiled twice: see bf16_vectors-inl.h.
#include <algorithm>
#include <vector>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/fused_mlp/add_panels.h"
#include "twofour/sparse/kernels/fused_mlp/bf16_list_product-inl.h"
#include "twofour/sparse/kernels/fused_mlp/bf16_lists-inl.h"
#include "twofour/sparse/kernels/fused_mlp/bf16_sampled_grad-inl.h"
#include "twofour/sparse/kernels/fused_mlp/fused_mlp_kernel.h"
#include "twofour/sparse/kernels/linear/linear_kernel.h"
#include "twofour/sparse/kernels/pair_bucket/bf16_masked_stream-inl.h"

TWOFOUR_BF16_BEFORE
namespace twofour::sparse::TWOFOUR_BF16 {
namespace {

/// Calls call(squares, panel, first, last) for each item of work in [begin, end): it is a panel of batch rows, which
/// fill `squares` squares, times strips [first, last) of the matrix.
template <typename Call>
void ForEachItem(const PairStream& m, const PanelWork& work, int64_t begin, int64_t end, int64_t batch,
                 const Call& call) {
  for (int64_t item = begin; item < end; ++item) {
    const int64_t panel = item / work.ranges;
    const int64_t first = std::min(item % work.ranges * work.strips, m.strips());
    const int64_t last = std::min(first + work.strips, m.strips());
    WithSquares(std::min(kPanel, batch - panel * kPanel), [&](auto squares) { call(squares, panel, first, last); });
  }
}

/// Writes h = relu(v + bias)^2 into a panel, and the words that say which of it is not zero.
class HiddenSink {
 public:
  HiddenSink(PanelMatrix& hidden, int64_t panel, const float* bias)
      : values_(hidden.values<BFloat16>(panel)),
        nonzero_(hidden.nonzero(panel)),
        valid_(hidden.valid_bits(panel)),
        bias_(bias) {}

  HWY_INLINE void Take(int64_t strip, int r, int h, Floats low, Floats high) {
    const int64_t feature = strip * 4 + r;
    if (bias_ != nullptr) {
      const Floats bias = SetFloats(bias_[feature]);
      low = Add(low, bias), high = Add(high, bias);
    }
    const Pairs squared = UndoInterleave(RoundToBf16(ReluSquared(low), ReluSquared(high)));
    bits_[r] |= uint64_t{NonZeros(squared)} << (h * kSquare);
    StorePairs(squared, values_ + feature * kPanel + h * kSquare);
  }

  HWY_INLINE void Done(int64_t strip) {
    for (int r = 0; r < 4; ++r) {
      nonzero_[strip * 4 + r] = bits_[r] & valid_;
      bits_[r] = 0;
    }
  }

 private:
  BFloat16* const values_;
  uint64_t* const nonzero_;
  const uint64_t valid_;
  const float* const bias_;
  uint64_t bits_[4] = {};
};

/// A source of blocks of a panel of rows of x [batch, m.cols()], which it transposes into `block`.
inline auto TransposedRows(const PairStream& m, const void* x, int64_t panel, int64_t rows, BFloat16* block) {
  return [=](int64_t col, int64_t cols) {
    PackPanel(static_cast<const BFloat16*>(x) + panel * kPanel * m.cols() + col, m.cols(), rows, cols, block);
    return block;
  };
}

void Hidden(const PackedWeight& packed, const void* x, const float* bias, PanelMatrix& hidden) {
  const PairStream m = StreamOf(packed);
  const PanelWork work = WorkOf(m, hidden.batch());
  ParallelFor(work.items(), work.grain, [&](int64_t begin, int64_t end) {
    AlignedBuffer<BFloat16> block(m.block_cols() * kPanel);
    AlignedBuffer<float> sums(SumsFor(work.strips, kPanel));
    ForEachItem(m, work, begin, end, hidden.batch(), [&](auto squares, int64_t panel, int64_t first, int64_t last) {
      HiddenSink sink(hidden, panel, bias);
      RunPanel<decltype(squares)::value>(m, first, last, TransposedRows(m, x, panel, hidden.rows(panel), block.data()),
                                         sums.data(), sink);
    });
  });
}

void Product(const PackedWeight& packed, const PanelMatrix& activations, const float* bias, void* out_elements) {
  const PairStream m = StreamOf(packed);
  auto* const out = static_cast<BFloat16*>(out_elements);
  const PanelWork work = WorkOf(m, activations.batch());
  const bool stream = ShouldStream(out, activations.batch(), m.rows());
  ParallelFor(work.items(), work.grain, [&](int64_t begin, int64_t end) {
    AlignedBuffer<float> sums(SumsFor(work.strips, kPanel));
    ForEachItem(
        m, work, begin, end, activations.batch(), [&](auto squares, int64_t panel, int64_t first, int64_t last) {
          const auto source = [&](int64_t col, int64_t) { return activations.values<BFloat16>(panel) + col * kPanel; };
          RowMajorSink sink({.bias = bias}, activations.rows(panel), first, last, out + panel * kPanel * m.rows(),
                            m.rows(), stream);
          RunPanel<decltype(squares)::value>(m, first, last, source, sums.data(), sink);
        });
    if (stream) FlushStream();
  });
}

/// Replaces a panel of h by dh = 2 sqrt(h) v, where v is dy W_proj, and sums dh over the panel's batch rows.
class HiddenGradSink {
 public:
  HiddenGradSink(PanelMatrix& hidden, int64_t panel, float* row_sums)
      : values_(hidden.values<BFloat16>(panel)), valid_(hidden.valid_bits(panel)), row_sums_(row_sums) {}

  HWY_INLINE void Take(int64_t strip, int r, int h, Floats low, Floats high) {
    BFloat16* const at = values_ + (strip * 4 + r) * kPanel + h * kSquare;
    // Beyond the batch there may be NaNs, which would spoil the sums.
    const Pairs hidden = KeepElements(LoadPairs(at), static_cast<uint32_t>(valid_ >> (h * kSquare)));
    const Pairs zero = SetPairs(0);
    low = TwiceRootTimes(AsFloats(InterleaveLower(zero, hidden)), low);
    high = TwiceRootTimes(AsFloats(InterleaveUpper(zero, hidden)), high);
    StorePairs(UndoInterleave(RoundToBf16(low, high)), at);
    const Floats sum = Add(low, high);
    sums_[r] = h == 0 ? sum : Add(sums_[r], sum);
  }

  HWY_INLINE void Done(int64_t strip) {
    for (int r = 0; r < 4; ++r) row_sums_[strip * 4 + r] = SumOf(sums_[r]);
  }

 private:
  BFloat16* const values_;
  const uint64_t valid_;
  float* const row_sums_;
  Floats sums_[4];
};

void HiddenGrad(const PackedWeight& packed, const void* dy, PanelMatrix& hidden, float* bias_grad) {
  const PairStream m = StreamOf(packed);
  const PanelWork work = WorkOf(m, hidden.batch());
  std::vector<float> panel_sums(static_cast<size_t>(hidden.panels() * hidden.features()));
  ParallelFor(work.items(), work.grain, [&](int64_t begin, int64_t end) {
    AlignedBuffer<BFloat16> block(m.block_cols() * kPanel);
    AlignedBuffer<float> sums(SumsFor(work.strips, kPanel));
    ForEachItem(m, work, begin, end, hidden.batch(), [&](auto squares, int64_t panel, int64_t first, int64_t last) {
      HiddenGradSink sink(hidden, panel, panel_sums.data() + panel * hidden.features());
      RunPanel<decltype(squares)::value>(m, first, last, TransposedRows(m, dy, panel, hidden.rows(panel), block.data()),
                                         sums.data(), sink);
    });
  });
  AddPanels(hidden, panel_sums.data(), bias_grad);
}

/// HiddenGrad where the activations are not zero.
void SampledHiddenGrad(const float* weight, const MaskView& mask, const void* dy_elements, PanelMatrix& hidden,
                       float* bias_grad) {
  const int64_t out = mask.rows, pitch = RoundUp(out, kSquare);
  const auto* const dy = static_cast<const BFloat16*>(dy_elements);
  AlignedBuffer<BFloat16> turned(mask.cols * pitch);
  TurnMasked(weight, mask, pitch, turned.data());
  const PanelWork work(mask.cols / kTileSize, out, hidden.batch(), kPanel, kSquare / 4);
  std::vector<float> panel_sums(static_cast<size_t>(hidden.panels() * hidden.features()));
  ParallelFor(work.items(), work.grain, [&](int64_t begin, int64_t end) {
    AlignedBuffer<BFloat16> padded(pitch == out ? 0 : kPanel * pitch);
    for (int64_t item = begin; item < end; ++item) {
      const int64_t panel = item / work.ranges, first = item % work.ranges * work.strips;
      const int64_t last = std::min(first + work.strips, hidden.features() / kTileSize);
      const BFloat16* rows = dy + panel * kPanel * out;
      if (pitch != out) {
        for (int64_t r = 0; r < hidden.rows(panel); ++r) {
          BFloat16* const to = padded.data() + r * pitch;
          std::fill(std::copy_n(rows + r * out, out, to), to + pitch, BFloat16::FromBits(0));
        }
        rows = padded.data();
      }
      HiddenGradSink sink(hidden, panel, panel_sums.data() + panel * hidden.features());
      for (int64_t strip = first; strip < last; ++strip) {
        for (int r = 0; r < kTileSize; ++r) {
          const int64_t feature = strip * kTileSize + r;
          alignas(64) float sums[kPanel];
          SampleRow(rows, pitch, turned.data() + feature * pitch, pitch, hidden.nonzero(panel)[feature], sums);
          for (int h = 0; h < 2; ++h) {
            sink.Take(strip, r, h, LoadFloats(sums + h * kSquare), LoadFloats(sums + h * kSquare + kLanes));
          }
        }
        sink.Done(strip);
      }
    }
  });
  AddPanels(hidden, panel_sums.data(), bias_grad);
}

}  // namespace
}  // namespace twofour::sparse::TWOFOUR_BF16
TWOFOUR_BF16_AFTER

// Runs on every processor, so it is compiled for the baseline.
namespace twofour::sparse::TWOFOUR_BF16 {

FusedMlpKernel Bf16FusedMlpKernel() {
  return {.name = TWOFOUR_BF16_NATIVE ? "fused_mlp_avx512bf16" : "fused_mlp_emulated_bf16",
          .linear = FindLinearKernel(PackedLayout::kBf16PairBucket, kIsa),
          .vnm_linear = FindLinearKernel(PackedLayout::kBf16Vnm, kIsa),
          .panel = kPanel,
          .list_density = 0.24,
          .sample_density = 0.15,
          .hidden = Hidden,
          .product = Product,
          .hidden_grad = HiddenGrad,
          .sampled_hidden_grad = SampledHiddenGrad,
          .lists = MakeLists,
          .other_values = MakeListsAgain,
          .list_product = ListProduct};
}

}  // namespace twofour::sparse::TWOFOUR_BF16
