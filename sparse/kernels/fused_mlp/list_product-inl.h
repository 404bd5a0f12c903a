// Products of ActivationLists with a dense matrix. Compiled once for each instruction set (see hwy/foreach_target.h).
#if defined(TWOFOUR_SPARSE_KERNELS_FUSED_MLP_LIST_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TWOFOUR_SPARSE_KERNELS_FUSED_MLP_LIST_PRODUCT_INL_H_
#undef TWOFOUR_SPARSE_KERNELS_FUSED_MLP_LIST_PRODUCT_INL_H_
#else
#define TWOFOUR_SPARSE_KERNELS_FUSED_MLP_LIST_PRODUCT_INL_H_
#endif

#include <algorithm>
#include <cstdint>
#include <memory>
#include <type_traits>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/ceil_div.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/fused_mlp/activation_lists.h"
#include "twofour/sparse/kernels/fused_mlp/fused_mlp_kernel.h"
#include "twofour/sparse/kernels/fused_mlp/list_work.h"
#include "twofour/sparse/kernels/pair_bucket/panel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::sparse::HWY_NAMESPACE {

// Two rows of sums take as many vectors as the registers allow, and a narrow block as many rows of the dense matrix as
// the first-level cache holds beside them.
inline constexpr int kListVectors = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON ? 8 : 6;
inline constexpr int64_t kListPanel = int64_t{kListVectors} * kLanes;
inline constexpr int64_t kNarrowListBlock = HWY_TARGET == HWY_AVX3 ? 64 : 120;
inline constexpr int64_t kWideListBlock = HWY_TARGET == HWY_AVX3 ? 128 : 360;

/// Adds entries [entry, end), which all have the code kCode: that says at compile time which of the two rows are not
/// zero.
template <int kCode>
HWY_INLINE void RunCode(const ActivationLists& lists, int64_t entry, int64_t end, const char* HWY_RESTRICT dense,
                        V (&sum)[2][kListVectors]) {
  const uint16_t* const HWY_RESTRICT offsets = lists.offsets();
  const float(*const HWY_RESTRICT values)[2] = lists.values();
  for (; entry != end; ++entry) {
    const float* const row = reinterpret_cast<const float*>(dense + ActivationLists::kUnit * offsets[entry]);
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

/// sums [2][kListPanel] += one pair of rows within one block times the block's rows of the dense matrix.
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

/// out [rows][kListPanel] = kListPanel columns of a dense matrix [rows, n] with elements at `data`, from `first` on,
/// and 0 beyond n.
template <typename T>
void PackColumns(const FusedMlpKernel::Dense& matrix, const T* data, int64_t rows, int64_t n, int64_t first,
                 float* HWY_RESTRICT out) {
  const int64_t cols = std::min(kListPanel, n - first);
  if (matrix.transposed) {
    if (cols < kListPanel) std::fill_n(out, rows * kListPanel, 0.0f);
    PackPanel<kListPanel>(data + first * matrix.ld, matrix.ld, cols, rows, out);
    return;
  }
  for (int64_t r = 0; r < rows; ++r) {
    const T* const from = data + r * matrix.ld + first;
    float* const to = out + r * kListPanel;
    if (cols == kListPanel) {
      TWOFOUR_UNROLL
      for (int t = 0; t < kListVectors; ++t) hn::Store(LoadAsF32(d, from + t * kLanes), d, to + t * kLanes);
    } else {
      std::fill(std::transform(from, from + cols, to, [](const T& x) { return static_cast<float>(x); }),
                to + kListPanel, 0.0f);
    }
  }
}

inline std::unique_ptr<NonZeroLists> Lists(const PanelMatrix& matrix, NonZeroLists::Rows rows) {
  const int64_t block = matrix.Density() <= ActivationLists::kFew ? kWideListBlock : kNarrowListBlock;
  return std::make_unique<ActivationLists>(matrix, rows, block,
                                           kListPanel * static_cast<int64_t>(sizeof(float)) / ActivationLists::kUnit);
}

inline std::unique_ptr<NonZeroLists> OtherValues(const PanelMatrix& matrix, const NonZeroLists& same_zeros) {
  return std::make_unique<ActivationLists>(matrix, static_cast<const ActivationLists&>(same_zeros));
}

/// sums [end - begin][kListPanel] = rows [begin, end) of the lists times `columns` [lists.cols()][kListPanel].
inline void SumLists(const ActivationLists& lists, int64_t begin, int64_t end, const float* columns, float* sums) {
  if (lists.blocks() == 0) std::fill_n(sums, (end - begin) * kListPanel, 0.0f);
  for (int64_t block = 0; block < lists.blocks(); ++block) {
    const float* const dense = columns + block * lists.block_cols() * kListPanel;
    for (int64_t row = begin; row < end; row += 2) {
      RunPair(lists, block, row / 2, dense, sums + (row - begin) * kListPanel);
    }
  }
}

/// Writes sums [rows][kListPanel] to `rows` rows of `cols` columns, `ld` elements apart, and adds the bias [cols],
/// which may be null.
template <typename T>
void WriteSums(const float* sums, int64_t rows, int64_t cols, const float* bias, T* out, int64_t ld) {
  for (int64_t row = 0; row < rows; ++row) {
    const float* const from = sums + row * kListPanel;
    T* const to = out + row * ld;
    int64_t c = 0;
    for (; c + kLanes <= cols; c += kLanes) {
      const V sum = hn::Load(d, from + c);
      StoreFromF32(d, bias == nullptr ? sum : hn::Add(sum, hn::LoadU(d, bias + c)), to + c);
    }
    for (; c < cols; ++c) to[c] = static_cast<T>(bias == nullptr ? from[c] : from[c] + bias[c]);
  }
}

/// Writes sums [rows][kListPanel] to `cols` rows of `rows` columns, `ld` elements apart.
inline void WriteTransposedSums(const float* sums, int64_t rows, int64_t cols, float* out, int64_t ld) {
  for (int64_t row = 0; row < rows; row += kGroup) {
    UnpackGroup<kListPanel>(sums + row * kListPanel, std::min(kGroup, rows - row), cols, out + row, ld, false);
  }
}

template <typename T>
void ListProduct(const NonZeroLists& nonzeros, const FusedMlpKernel::Dense& matrix, int64_t n, const float* bias,
                 const FusedMlpKernel::Output& output) {
  const auto& lists = static_cast<const ActivationLists&>(nonzeros);
  const ListWork work(lists.rows(), lists.cols(), n, kListPanel);
  ParallelFor(work.items(), work.grain, [&](int64_t begin, int64_t end) {
    AlignedBuffer<float> columns(lists.cols() * kListPanel), sums(work.rows * kListPanel);
    int64_t packed = -1;
    for (int64_t item = begin; item < end; ++item) {
      const int64_t panel = item / work.ranges, first_col = panel * kListPanel;
      const int64_t cols = std::min(kListPanel, n - first_col);
      const int64_t row = item % work.ranges * work.rows, end_row = std::min(row + work.rows, lists.rows());

      // 1. columns [lists.cols()][kListPanel] = the panel of the dense matrix, unless the last item had the same.
      if (panel != packed) {
        const auto pack = [&](const auto* data) {
          PackColumns(matrix, data, lists.cols(), n, first_col, columns.data());
        };
        using Weight = std::conditional_t<std::is_same_v<T, float>, float, kernels::FloatAsBf16>;
        matrix.is_weight ? pack(static_cast<const Weight*>(matrix.data)) : pack(static_cast<const T*>(matrix.data));
      }
      packed = panel;

      // 2. sums [end_row - row][kListPanel] = lists times columns.
      SumLists(lists, row, end_row, columns.data(), sums.data());

      // 3. Write them to out, or to its transpose.
      const int64_t rows = end_row - row;
      const float* const its_bias = bias == nullptr ? nullptr : bias + first_col;
      if (output.transposed) {
        WriteTransposedSums(sums.data(), rows, cols, static_cast<float*>(output.data) + first_col * lists.rows() + row,
                            lists.rows());
      } else if (output.is_weight) {
        WriteSums(sums.data(), rows, cols, its_bias, static_cast<float*>(output.data) + row * n + first_col, n);
      } else {
        WriteSums(sums.data(), rows, cols, its_bias, static_cast<T*>(output.data) + row * n + first_col, n);
      }
    }
  });
}

}  // namespace twofour::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TWOFOUR_SPARSE_KERNELS_FUSED_MLP_LIST_PRODUCT_INL_H_
