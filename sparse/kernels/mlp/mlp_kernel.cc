#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/ceil_div.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/linear/linear_kernel.h"
#include "twofour/sparse/kernels/mlp/mlp_kernel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/sparse/kernels/mlp/mlp_kernel.cc"
#include <hwy/foreach_target.h>
//
#include "twofour/core/kernels/simd/simd_isa.h"
#include "twofour/sparse/kernels/pair_bucket/pair_bucket-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace {

/// Calls call(vectors, panel, first, last) for every piece of work on a product with panels.
template <typename Call>
void ForEachPiece(const PairBucketStream& m, const PanelWork& work, int64_t begin, int64_t end, int64_t batch,
                  const Call& call) {
  for (int64_t item = begin; item < end; ++item) {
    const int64_t panel = item / work.ranges;
    const int64_t first = std::min(item % work.ranges * work.strips, m.strips());
    const int64_t last = std::min(first + work.strips, m.strips());
    WithVectors(std::min(kPanel, batch - panel * kPanel), [&](auto vectors) { call(vectors, panel, first, last); });
  }
}

/// Writes relu(v + bias)^2 into a panel, and the words of its non-zeros.
class HiddenSink {
 public:
  HiddenSink(PanelMatrix& hidden, int64_t panel, const float* bias)
      : values_(hidden.values(panel)), nonzero_(hidden.nonzero(panel)), valid_(hidden.valid_bits(panel)), bias_(bias) {}

  HWY_INLINE float* Target(int64_t strip) { return values_ + strip * 4 * kPanel; }

  HWY_INLINE V Finish(int64_t strip, int r, int t, V v) {
    if (bias_ != nullptr) v = hn::Add(v, hn::Set(d, bias_[strip * 4 + r]));
    const V positive = Positive(v);
    const V squared = hn::Mul(positive, positive);
    uint8_t bytes[8] = {};
    hn::StoreMaskBits(d, hn::Not(hn::Eq(squared, hn::Zero(d))), bytes);  // Not Ne: a NaN is no zero.
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
  }

 private:
  float* const values_;
  uint64_t* const nonzero_;
  const uint64_t valid_;
  const float* const bias_;
  uint64_t bits_[4] = {};
};

void Hidden(const PackedWeight& packed, const float* x, const float* bias, PanelMatrix& hidden) {
  const auto& m = PackedAs<PairBucketStream>(packed, IsaOf(HWY_TARGET));
  const PanelWork work(m, hidden.batch());
  ParallelFor(work.items(), work.grain, [&](int64_t begin, int64_t end) {
    AlignedBuffer<float> block(kBlockCols * kPanel);
    ForEachPiece(m, work, begin, end, hidden.batch(), [&](auto vectors, int64_t panel, int64_t first, int64_t last) {
      const auto source = [&](int64_t col, int64_t cols) {
        PackPanel(x + panel * kPanel * m.cols() + col, m.cols(), hidden.rows(panel), cols, block.data());
        return block.data();
      };
      HiddenSink sink(hidden, panel, bias);
      RunPanel<decltype(vectors)::value>(m, first, last, source, hidden.values(panel) + first * 4 * kPanel, sink);
    });
  });
}

void Product(const PackedWeight& packed, const PanelMatrix& activations, const float* bias, float* out) {
  const auto& m = PackedAs<PairBucketStream>(packed, IsaOf(HWY_TARGET));
  const PanelWork work(m, activations.batch());
  const bool stream = ShouldStream(out, activations.batch(), m.rows());
  ParallelFor(work.items(), work.grain, [&](int64_t begin, int64_t end) {
    AlignedBuffer<float> sums(work.strips * 4 * kPanel);
    ForEachPiece(m, work, begin, end, activations.batch(),
                 [&](auto vectors, int64_t panel, int64_t first, int64_t last) {
                   const auto source = [&](int64_t col, int64_t) { return activations.values(panel) + col * kPanel; };
                   RowMajorSink sink({.bias = bias}, activations.rows(panel), first, last,
                                     out + panel * kPanel * m.rows(), m.rows(), stream);
                   RunPanel<decltype(vectors)::value>(m, first, last, source, sums.data(), sink);
                 });
    if (stream) hwy::FlushStream();
  });
}

/// Replaces a panel's hidden activations h by 2 sqrt(h) v, and sums that up over the panel's rows.
class HiddenGradSink {
 public:
  HiddenGradSink(float* values, float* row_sums) : values_(values), row_sums_(row_sums) {}

  HWY_INLINE float* Target(int64_t strip) { return values_ + strip * 4 * kPanel; }

  HWY_INLINE V Finish(int64_t strip, int r, int t, V v) {
    const V h = hn::Load(d, values_ + (strip * 4 + r) * kPanel + t * kLanes);
    const V root = hn::Sqrt(h);  // What was squared, to the bit, unless the square over- or underflowed.
    const V grad = hn::Mul(hn::Add(root, root), v);
    sums_[r] = t == 0 ? grad : hn::Add(sums_[r], grad);
    return grad;
  }

  HWY_INLINE void Done(int64_t strip) {
    for (int r = 0; r < 4; ++r) row_sums_[strip * 4 + r] = hn::GetLane(hn::SumOfLanes(d, sums_[r]));
  }

 private:
  float* const values_;
  float* const row_sums_;
  V sums_[4];
};

void HiddenGrad(const PackedWeight& packed, const float* dy, PanelMatrix& hidden, float* bias_grad) {
  const auto& m = PackedAs<PairBucketStream>(packed, IsaOf(HWY_TARGET));
  const PanelWork work(m, hidden.batch());
  std::vector<float> panel_sums(static_cast<size_t>(hidden.panels() * hidden.features()));
  ParallelFor(work.items(), work.grain, [&](int64_t begin, int64_t end) {
    AlignedBuffer<float> block(kBlockCols * kPanel), sums(work.strips * 4 * kPanel);
    ForEachPiece(m, work, begin, end, hidden.batch(), [&](auto vectors, int64_t panel, int64_t first, int64_t last) {
      const auto source = [&](int64_t col, int64_t cols) {
        PackPanel(dy + panel * kPanel * m.cols() + col, m.cols(), hidden.rows(panel), cols, block.data());
        return block.data();
      };
      HiddenGradSink sink(hidden.values(panel), panel_sums.data() + panel * hidden.features());
      RunPanel<decltype(vectors)::value>(m, first, last, source, sums.data(), sink);
    });
  });
  for (int64_t j = 0; j < hidden.features(); ++j) {
    double sum = 0;
    for (int64_t p = 0; p < hidden.panels(); ++p) sum += static_cast<double>(panel_sums[p * hidden.features() + j]);
    bias_grad[j] = static_cast<float>(sum);
  }
}

// Lists: two rows of sums, as many vectors of columns of the dense matrix as the registers allow, and as many of its
// rows at a time as the first-level cache holds beside them.
constexpr int kListVectors = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON ? 8 : 6;
constexpr int64_t kListPanel = int64_t{kListVectors} * kLanes;
constexpr int64_t kListBlock = HWY_TARGET == HWY_AVX3 ? 64 : 120;

/// Entries [entry, end) of one code: rows in which a column is not zero, known at compile time.
template <int kCode>
HWY_INLINE void RunCode(const ActivationLists& lists, int64_t entry, int64_t end, const char* HWY_RESTRICT dense,
                        V (&sum)[2][kListVectors]) {
  const uint16_t* const HWY_RESTRICT offsets = lists.offsets();
  const float(*const HWY_RESTRICT values)[2] = lists.values();
  for (; entry != end; ++entry) {
    const float* const row = reinterpret_cast<const float*>(dense + offsets[entry]);
    const V w0 = hn::Set(d, values[entry][0]), w1 = hn::Set(d, values[entry][1]);
    TWOFOUR_UNROLL
    for (int t = 0; t < kListVectors; ++t) {
      V v = hn::Load(d, row + t * kLanes);
      if constexpr (kCode == 3) v = Loaded(v);
      if constexpr ((kCode & 1) != 0) sum[0][t] = hn::MulAdd(w0, v, sum[0][t]);
      if constexpr ((kCode & 2) != 0) sum[1][t] = hn::MulAdd(w1, v, sum[1][t]);
    }
  }
}

/// sums [2][kListPanel] += one pair of rows within one block times the dense matrix's rows of the block.
HWY_INLINE void RunPair(const ActivationLists& lists, int64_t block, int64_t group, const float* HWY_RESTRICT dense,
                        float* HWY_RESTRICT sums) {
  V sum[2][kListVectors];
  TWOFOUR_UNROLL
  for (int r = 0; r < 2; ++r) {
    TWOFOUR_UNROLL
    for (int t = 0; t < kListVectors; ++t) {
      sum[r][t] = block == 0 ? hn::Zero(d) : hn::Load(d, sums + r * kListPanel + t * kLanes);
    }
  }
  const ActivationLists::Ends& ends = lists.ends(block, group);
  const char* const bytes = reinterpret_cast<const char*>(dense);
  RunCode<1>(lists, ends[0], ends[1], bytes, sum);
  RunCode<2>(lists, ends[1], ends[2], bytes, sum);
  RunCode<3>(lists, ends[2], ends[3], bytes, sum);
  TWOFOUR_UNROLL
  for (int r = 0; r < 2; ++r) {
    TWOFOUR_UNROLL
    for (int t = 0; t < kListVectors; ++t) hn::Store(sum[r][t], d, sums + r * kListPanel + t * kLanes);
  }
}

/// kListPanel columns of a dense matrix [rows, n], from `first` on, side by side: [rows][kListPanel], 0 beyond n.
void PackColumns(const MlpKernel::Dense& matrix, int64_t rows, int64_t n, int64_t first, float* HWY_RESTRICT out) {
  const int64_t cols = std::min(kListPanel, n - first);
  if (matrix.transposed) {
    if (cols < kListPanel) std::fill_n(out, rows * kListPanel, 0.0f);
    PackPanel<kListPanel>(matrix.data + first * matrix.ld, matrix.ld, cols, rows, out);
    return;
  }
  for (int64_t r = 0; r < rows; ++r) {
    const float* const from = matrix.data + r * matrix.ld + first;
    float* const to = out + r * kListPanel;
    if (cols == kListPanel) {
      TWOFOUR_UNROLL
      for (int t = 0; t < kListVectors; ++t) hn::Store(hn::LoadU(d, from + t * kLanes), d, to + t * kLanes);
    } else {
      std::fill(std::copy_n(from, cols, to), to + kListPanel, 0.0f);
    }
  }
}

ActivationLists Lists(const PanelMatrix& matrix, ActivationLists::Rows rows) {
  return {matrix, rows, kListBlock, kListPanel * static_cast<int64_t>(sizeof(float))};
}

void ListProduct(const ActivationLists& lists, const MlpKernel::Dense& matrix, int64_t n, const float* bias, float* out,
                 bool out_transposed) {
  // Rows whose sums stay in the second-level cache; fewer where there would be too few pieces for several threads.
  constexpr int64_t kMostRows = 1024, kFewestRows = 64, kEnoughItems = 16;
  const int64_t panels = CeilDiv(n, kListPanel);
  int64_t rows_at_once = kMostRows;
  while (rows_at_once > kFewestRows && panels * (lists.rows() / rows_at_once) < kEnoughItems) rows_at_once /= 2;
  const int64_t ranges = CeilDiv(lists.rows(), rows_at_once);
  const int64_t work = rows_at_once * lists.cols() * kListPanel;  // Of an item, were there no zeros.
  ParallelFor(panels * ranges, 1 + (int64_t{1} << 21) / (work + 1), [&](int64_t begin, int64_t end) {
    AlignedBuffer<float> columns(lists.cols() * kListPanel), sums(rows_at_once * kListPanel);
    int64_t packed = -1;
    for (int64_t item = begin; item < end; ++item) {
      const int64_t panel = item / ranges, first = panel * kListPanel, cols = std::min(kListPanel, n - first);
      if (panel != packed) PackColumns(matrix, lists.cols(), n, first, columns.data());
      packed = panel;
      const int64_t begin_row = item % ranges * rows_at_once,
                    end_row = std::min(begin_row + rows_at_once, lists.rows());
      if (lists.blocks() == 0) std::fill_n(sums.data(), rows_at_once * kListPanel, 0.0f);
      for (int64_t block = 0; block < lists.blocks(); ++block) {
        const float* const dense = columns.data() + block * lists.block_cols() * kListPanel;
        for (int64_t row = begin_row; row < end_row; row += 2) {
          RunPair(lists, block, row / 2, dense, sums.data() + (row - begin_row) * kListPanel);
        }
      }
      for (int64_t row = begin_row; row < end_row && out_transposed; row += kGroup) {
        UnpackGroup<kListPanel>(sums.data() + (row - begin_row) * kListPanel, std::min(kGroup, end_row - row), cols,
                                out + first * lists.rows() + row, lists.rows(), false);
      }
      for (int64_t row = begin_row; row < end_row && !out_transposed; ++row) {
        const float* const from = sums.data() + (row - begin_row) * kListPanel;
        float* const to = out + row * n + first;
        if (bias == nullptr) {
          std::copy_n(from, cols, to);
        } else {
          for (int64_t c = 0; c < cols; ++c) to[c] = from[c] + bias[first + c];
        }
      }
    }
  });
}

}  // namespace
}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

// Runs on every processor: see simd_table.h.
namespace twofour::sparse::HWY_NAMESPACE {

MlpKernel FusedMlpKernel() {
  constexpr Isa kIsa = IsaOf(HWY_TARGET);
  return {.name = fmt::format("fused_mlp_{}", NameOf(kIsa)),
          .linear = FindLinearKernel(PackedLayout::kPairBucket, kIsa),
          .panel = kPanel,
          .list_density = 0.3,
          .hidden = Hidden,
          .product = Product,
          .hidden_grad = HiddenGrad,
          .lists = Lists,
          .list_product = ListProduct};
}

}  // namespace twofour::sparse::HWY_NAMESPACE

#if HWY_ONCE
#include "twofour/core/kernels/simd/simd_table.h"

namespace twofour::sparse {

std::span<const MlpKernel> MlpKernels() {
#define TWOFOUR_ROW(space, isa) space::FusedMlpKernel(),
  static const MlpKernel kernels[] = {TWOFOUR_FOR_EACH_ISA(TWOFOUR_ROW)};
#undef TWOFOUR_ROW
  return kernels;
}

}  // namespace twofour::sparse
#endif
