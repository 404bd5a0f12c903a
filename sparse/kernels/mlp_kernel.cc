#include "twofour/core/kernels/simd_targets.h"
//
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "twofour/core/parallel.h"
#include "twofour/core/storage.h"
#include "twofour/sparse/kernels/forced_kernel.h"
#include "twofour/sparse/kernels/linear_kernels.h"
#include "twofour/sparse/kernels/mlp_kernel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/sparse/kernels/mlp_kernel.cc"
#include <hwy/foreach_target.h>
//
#include "twofour/sparse/kernels/pair_bucket-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {
namespace {

float* Floats(Storage& storage) { return reinterpret_cast<float*>(storage.data()); }

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
  const auto& m = static_cast<const PairBucketStream&>(packed);
  const PanelWork work(m, hidden.batch());
  ParallelFor(work.items(), work.grain, [&](int64_t begin, int64_t end) {
    Storage block(kBlockCols * kPanel * sizeof(float));
    ForEachPiece(m, work, begin, end, hidden.batch(), [&](auto vectors, int64_t panel, int64_t first, int64_t last) {
      const auto source = [&](int64_t col, int64_t cols) {
        PackPanel(x + panel * kPanel * m.cols() + col, m.cols(), hidden.rows(panel), cols, Floats(block));
        return Floats(block);
      };
      HiddenSink sink(hidden, panel, bias);
      RunPanel<decltype(vectors)::value>(m, first, last, source, hidden.values(panel) + first * 4 * kPanel, sink);
    });
  });
}

void Product(const PackedWeight& packed, const PanelMatrix& activations, const float* bias, float* out) {
  const auto& m = static_cast<const PairBucketStream&>(packed);
  const PanelWork work(m, activations.batch());
  const bool stream = ShouldStream(out, activations.batch(), m.rows());
  ParallelFor(work.items(), work.grain, [&](int64_t begin, int64_t end) {
    Storage sums(work.strips * 4 * kPanel * sizeof(float));
    ForEachPiece(m, work, begin, end, activations.batch(),
                 [&](auto vectors, int64_t panel, int64_t first, int64_t last) {
                   const auto source = [&](int64_t col, int64_t) { return activations.values(panel) + col * kPanel; };
                   RowMajorSink sink({.bias = bias}, activations.rows(panel), first, last,
                                     out + panel * kPanel * m.rows(), m.rows(), stream);
                   RunPanel<decltype(vectors)::value>(m, first, last, source, Floats(sums), sink);
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
  const auto& m = static_cast<const PairBucketStream&>(packed);
  const PanelWork work(m, hidden.batch());
  std::vector<float> panel_sums(static_cast<size_t>(hidden.panels() * hidden.features()));
  ParallelFor(work.items(), work.grain, [&](int64_t begin, int64_t end) {
    Storage block(kBlockCols * kPanel * sizeof(float)), sums(work.strips * 4 * kPanel * sizeof(float));
    ForEachPiece(m, work, begin, end, hidden.batch(), [&](auto vectors, int64_t panel, int64_t first, int64_t last) {
      const auto source = [&](int64_t col, int64_t cols) {
        PackPanel(dy + panel * kPanel * m.cols() + col, m.cols(), hidden.rows(panel), cols, Floats(block));
        return Floats(block);
      };
      HiddenGradSink sink(hidden.values(panel), panel_sums.data() + panel * hidden.features());
      RunPanel<decltype(vectors)::value>(m, first, last, source, Floats(sums), sink);
    });
  });
  for (int64_t j = 0; j < hidden.features(); ++j) {
    double sum = 0;
    for (int64_t p = 0; p < hidden.panels(); ++p) sum += static_cast<double>(panel_sums[p * hidden.features() + j]);
    bias_grad[j] = static_cast<float>(sum);
  }
}

using Sums = V[ActivationLists::kGroupRows][kVectors];

/// Entries [entry, end) of one code: rows in which a column is not zero, known at compile time.
template <int kCode>
HWY_INLINE void RunCode(const ActivationLists& lists, int64_t entry, int64_t end, const float* HWY_RESTRICT b,
                        Sums& sum) {
  const int32_t* const columns = lists.columns();
  const float(*const values)[4] = lists.values();
  for (; entry != end; ++entry) {
    const float* const row = b + columns[entry] * kPanel;
    V v[kVectors];
    TWOFOUR_UNROLL
    for (int t = 0; t < kVectors; ++t) v[t] = Loaded(hn::Load(d, row + t * kLanes));
    TWOFOUR_UNROLL
    for (int r = 0; r < 4; ++r) {
      if ((kCode >> r & 1) == 0) continue;
      const V w = hn::Set(d, values[entry][r]);
      TWOFOUR_UNROLL
      for (int t = 0; t < kVectors; ++t) sum[r][t] = hn::MulAdd(w, v[t], sum[r][t]);
    }
  }
}

template <int... kCodes>
HWY_INLINE void RunGroup(const ActivationLists& lists, int64_t group, const float* b, float* out,
                         std::integer_sequence<int, kCodes...>) {
  Sums sum;
  TWOFOUR_UNROLL
  for (int r = 0; r < 4; ++r) {
    TWOFOUR_UNROLL
    for (int t = 0; t < kVectors; ++t) sum[r][t] = hn::Zero(d);
  }
  const ActivationLists::Ends& ends = lists.ends(group);
  (RunCode<kCodes + 1>(lists, ends[kCodes], ends[kCodes + 1], b, sum), ...);
  TWOFOUR_UNROLL
  for (int r = 0; r < 4; ++r) {
    TWOFOUR_UNROLL
    for (int t = 0; t < kVectors; ++t) hn::Store(sum[r][t], d, out + r * kPanel + t * kLanes);
  }
}

/// kPanel columns of a dense matrix [rows, n], from `first` on, side by side: [rows][kPanel], 0 beyond n.
void PackColumns(const MlpKernel::Dense& matrix, int64_t rows, int64_t n, int64_t first, float* out) {
  const int64_t cols = std::min(kPanel, n - first);
  if (matrix.transposed) {
    if (cols < kPanel) std::fill_n(out, rows * kPanel, 0.0f);
    PackPanel(matrix.data + first * matrix.ld, matrix.ld, cols, rows, out);
    return;
  }
  for (int64_t r = 0; r < rows; ++r) {
    const float* const from = matrix.data + r * matrix.ld + first;
    float* const to = out + r * kPanel;
    if (cols == kPanel) {
      TWOFOUR_UNROLL
      for (int t = 0; t < kVectors; ++t) hn::Store(hn::LoadU(d, from + t * kLanes), d, to + t * kLanes);
    } else {
      std::fill(std::copy_n(from, cols, to), to + kPanel, 0.0f);
    }
  }
}

void ListProduct(const ActivationLists& lists, const MlpKernel::Dense& matrix, int64_t n, const float* bias, float* out,
                 bool out_transposed) {
  constexpr int64_t kGroupsAtOnce = kGroup / ActivationLists::kGroupRows;
  constexpr int64_t kEnoughItems = 16;
  const int64_t panels = (n + kPanel - 1) / kPanel;
  const int64_t batches = (lists.groups() + kGroupsAtOnce - 1) / kGroupsAtOnce;
  const int64_t ranges =
      std::clamp<int64_t>(kEnoughItems / std::max<int64_t>(panels, 1), 1, std::max<int64_t>(batches, 1));
  const int64_t work = lists.rows() * lists.cols() * kPanel / ranges;  // Of an item, were there no zeros.
  ParallelFor(panels * ranges, 1 + (int64_t{1} << 21) / (work + 1), [&](int64_t begin, int64_t end) {
    Storage columns(lists.cols() * kPanel * sizeof(float));
    int64_t packed = -1;
    HWY_ALIGN float rows[kGroup * kPanel];
    for (int64_t item = begin; item < end; ++item) {
      const int64_t panel = item / ranges, first = panel * kPanel, cols = std::min(kPanel, n - first);
      if (panel != packed) PackColumns(matrix, lists.cols(), n, first, Floats(columns));
      packed = panel;
      const int64_t range = item % ranges;
      for (int64_t at = batches * range / ranges; at < batches * (range + 1) / ranges; ++at) {
        const int64_t row = at * kGroup, valid = std::min(kGroup, lists.rows() - row);
        const int64_t groups = std::min(kGroupsAtOnce, lists.groups() - at * kGroupsAtOnce);
        for (int64_t g = 0; g < groups; ++g) {
          RunGroup(lists, at * kGroupsAtOnce + g, Floats(columns), rows + g * 4 * kPanel,
                   std::make_integer_sequence<int, ActivationLists::kCodes - 1>());
        }
        if (out_transposed) {
          UnpackGroup(rows, std::max<int64_t>(valid, 0), cols, out + first * lists.rows() + row, lists.rows(), false);
          continue;
        }
        for (int64_t r = 0; r < valid; ++r) {
          float* const to = out + (row + r) * n + first;
          for (int64_t c = 0; c < cols; ++c) to[c] = rows[r * kPanel + c] + (bias == nullptr ? 0.0f : bias[first + c]);
        }
      }
    }
  });
}

}  // namespace

MlpKernel MakeMlpKernel(const LinearKernel* linear) {
  return {linear, kPanel, /*list_density=*/0.3, Hidden, Product, HiddenGrad, ListProduct};
}

}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "twofour/core/kernels/simd_table.h"

namespace twofour::sparse {
namespace {

const LinearKernel* LinearKernelOf(SimdTarget target) {
  for (const LinearKernel& kernel : LinearKernels()) {
    if (kernel.target == target) return &kernel;
  }
  return nullptr;
}

}  // namespace

std::span<const MlpKernel> MlpKernels() {
#define TWOFOUR_ROW(space, target) space::MakeMlpKernel(LinearKernelOf(target)),
  static const MlpKernel kernels[] = {TWOFOUR_FOR_EACH_TARGET(TWOFOUR_ROW)};
#undef TWOFOUR_ROW
  return kernels;
}

}  // namespace twofour::sparse
#endif
