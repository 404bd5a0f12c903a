#include "twofour/sparse/kernels/fused_mlp/activation_lists.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "twofour/core/ceil_div.h"
#include "twofour/core/parallel.h"

namespace twofour::sparse {
namespace {

constexpr int kGroupRows = ActivationLists::kGroupRows;
constexpr int kMaxPanelGroups = 64 / kGroupRows;
constexpr uint64_t kEvenBits = 0x5555555555555555;
constexpr int64_t kGrain = 64 * 1024;  // A thread should get at least this many elements.

/// Calls visit(group, bit of its first row) for each group of which a row has a bit in `word`.
template <typename Visit>
void ForEachGroup(uint64_t word, const Visit& visit) {
  for (uint64_t pairs = (word | word >> 1) & kEvenBits; pairs != 0; pairs &= pairs - 1) {
    const int bit = std::countr_zero(pairs);
    visit(bit / kGroupRows, bit);
  }
}

}  // namespace

ActivationLists::ActivationLists(const PanelMatrix& matrix, Rows rows, int64_t block_cols, int64_t column_units)
    : orientation_(rows),
      rows_(rows == Rows::kBatch ? matrix.batch() : matrix.features()),
      cols_(rows == Rows::kBatch ? matrix.features() : matrix.batch()),
      // All rows of the panels count, so that no group spans two panels.
      groups_(rows == Rows::kBatch ? matrix.panels() * (matrix.panel() / kGroupRows) : matrix.features() / kGroupRows),
      block_cols_(rows == Rows::kBatch ? block_cols
                                       : std::max<int64_t>(block_cols / matrix.panel(), 1) * matrix.panel()),
      blocks_(CeilDiv(cols_, block_cols_)),
      column_units_(column_units),
      ends_(std::make_shared<std::vector<Ends>>(static_cast<size_t>(blocks_ * groups_))) {
  assert(matrix.panel() % kGroupRows == 0 && (rows == Rows::kBatch || matrix.features() % kGroupRows == 0));
  assert(block_cols_ * column_units <= 1 << 16);
  rows == Rows::kBatch ? CountBatchGroups(matrix) : CountFeatureGroups(matrix);
  AddUp();
  Allocate();
  Fill(matrix);
}

ActivationLists::ActivationLists(const PanelMatrix& matrix, const ActivationLists& same_zeros)
    : orientation_(same_zeros.orientation_),
      rows_(same_zeros.rows_),
      cols_(same_zeros.cols_),
      groups_(same_zeros.groups_),
      block_cols_(same_zeros.block_cols_),
      blocks_(same_zeros.blocks_),
      column_units_(same_zeros.column_units_),
      ends_(same_zeros.ends_),
      entries_(same_zeros.entries_) {
  Allocate();
  Fill(matrix);
}

void ActivationLists::Fill(const PanelMatrix& matrix) {
  const auto fill = [&]<typename T>() {
    orientation_ == Rows::kBatch ? FillBatchGroups<T>(matrix) : FillFeatureGroups<T>(matrix);
  };
  matrix.dtype() == DType::kBF16 ? fill.operator()<BFloat16>() : fill.operator()<float>();
}

void ActivationLists::CountBatchGroups(const PanelMatrix& matrix) {
  const int64_t per_panel = matrix.panel() / kGroupRows;
  ParallelFor(matrix.panels(), 1 + kGrain / (cols_ * matrix.panel() + 1), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const uint64_t* const nonzero = matrix.nonzero(p);
      for (int64_t j = 0; j < cols_; ++j) {
        Ends* const counts = ends_->data() + j / block_cols_ * groups_ + p * per_panel;
        ForEachGroup(nonzero[j], [&](int group, int bit) { ++counts[group][nonzero[j] >> bit & (kCodes - 1)]; });
      }
    }
  });
}

void ActivationLists::CountFeatureGroups(const PanelMatrix& matrix) {
  ParallelFor(groups_, 1 + kGrain / (cols_ * kGroupRows + 1), [&](int64_t begin, int64_t end) {
    for (int64_t p = 0; p < matrix.panels(); ++p) {
      Ends* const counts = ends_->data() + p * matrix.panel() / block_cols_ * groups_;
      for (int64_t group = begin; group < end; ++group) {
        const uint64_t first = matrix.nonzero(p)[2 * group], second = matrix.nonzero(p)[2 * group + 1];
        counts[group][1] += static_cast<uint32_t>(std::popcount(first & ~second));
        counts[group][2] += static_cast<uint32_t>(std::popcount(second & ~first));
        counts[group][3] += static_cast<uint32_t>(std::popcount(first & second));
      }
    }
  });
}

void ActivationLists::AddUp() {
  for (Ends& ends : *ends_) {
    ends[0] = entries_;
    for (int code = 1; code < kCodes; ++code) ends[code] = entries_ += ends[code];
  }
}

void ActivationLists::Allocate() {
  storage_ = std::make_unique<Storage>(RoundUpForReuse(entries_ * (sizeof(*values_) + sizeof(*offsets_))));
  values_ = reinterpret_cast<float(*)[kGroupRows]>(storage_->data());
  offsets_ = reinterpret_cast<uint16_t*>(values_ + entries_);
}

template <typename T>
void ActivationLists::FillBatchGroups(const PanelMatrix& matrix) {
  const int64_t per_panel = matrix.panel() / kGroupRows;
  ParallelFor(matrix.panels(), 1 + kGrain / (cols_ * matrix.panel() + 1), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const uint64_t* const nonzero = matrix.nonzero(p);
      for (int64_t block = 0; block < blocks_; ++block) {
        uint32_t next[kMaxPanelGroups][kCodes];
        for (int64_t g = 0; g < per_panel; ++g) {
          std::memcpy(next[g] + 1, ends(block, p * per_panel + g).data(), (kCodes - 1) * sizeof(uint32_t));
        }
        const int64_t first = block * block_cols_, last = std::min(first + block_cols_, cols_);
        for (int64_t j = first; j < last; ++j) {
          const T* const values = matrix.values<T>(p) + j * matrix.panel();
          const auto offset = static_cast<uint16_t>((j - first) * column_units_);
          const uint64_t word = nonzero[j];
          ForEachGroup(word, [&](int group, int bit) {
            const uint32_t to = next[group][word >> bit & (kCodes - 1)]++;
            offsets_[to] = offset;
            for (int r = 0; r < kGroupRows; ++r) values_[to][r] = static_cast<float>(values[bit + r]);
          });
        }
      }
    }
  });
}

template <typename T>
void ActivationLists::FillFeatureGroups(const PanelMatrix& matrix) {
  const int64_t panel = matrix.panel(), panels_at_once = block_cols_ / panel;
  ParallelFor(groups_, 1 + kGrain / (cols_ * kGroupRows + 1), [&](int64_t begin, int64_t end) {
    for (int64_t block = 0; block < blocks_; ++block) {
      const int64_t first = block * panels_at_once, last = std::min(first + panels_at_once, matrix.panels());
      for (int64_t group = begin; group < end; ++group) {
        uint32_t next[kCodes];
        std::memcpy(next + 1, ends(block, group).data(), (kCodes - 1) * sizeof(uint32_t));
        for (int64_t p = first; p < last; ++p) {
          const uint64_t w0 = matrix.nonzero(p)[2 * group], w1 = matrix.nonzero(p)[2 * group + 1];
          const T* const values = matrix.values<T>(p) + 2 * group * panel;
          const int64_t base = (p - first) * panel;
          const auto append = [&](uint64_t bits, uint32_t& to) {
            for (; bits != 0; bits &= bits - 1, ++to) {
              const int row = std::countr_zero(bits);
              offsets_[to] = static_cast<uint16_t>((base + row) * column_units_);
              values_[to][0] = static_cast<float>(values[row]);
              values_[to][1] = static_cast<float>(values[panel + row]);
            }
          };
          append(w0 & ~w1, next[1]);
          append(w1 & ~w0, next[2]);
          append(w0 & w1, next[3]);
        }
      }
    }
  });
}

}  // namespace twofour::sparse
