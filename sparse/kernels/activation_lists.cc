#include "twofour/sparse/kernels/activation_lists.h"

#include <bit>
#include <cassert>
#include <cstring>

#include "twofour/core/parallel.h"

namespace twofour::sparse {
namespace {

constexpr int kGroupRows = ActivationLists::kGroupRows;
constexpr int kCodes = ActivationLists::kCodes;
constexpr int kMaxPanelGroups = 64 / kGroupRows;
constexpr int64_t kGrain = 64 * 1024;  // Elements that are worth a thread.

int64_t BatchGroups(const PanelMatrix& matrix) {
  return matrix.panels() * (matrix.panel() / kGroupRows);  // All of a panel, so that groups never span two.
}

/// For each code the rows of a panel at which four features have it.
void RowsOfCodes(const uint64_t* nonzero, uint64_t valid, uint64_t (&rows)[kCodes]) {
  for (int code = 0; code < kCodes; ++code) {
    uint64_t bits = valid;
    for (int r = 0; r < kGroupRows; ++r) bits &= (code >> r & 1) != 0 ? nonzero[r] : ~nonzero[r];
    rows[code] = bits;
  }
}

}  // namespace

ActivationLists::ActivationLists(const PanelMatrix& matrix, Rows rows)
    : orientation_(rows),
      rows_(rows == Rows::kBatch ? matrix.batch() : matrix.features()),
      cols_(rows == Rows::kBatch ? matrix.features() : matrix.batch()),
      ends_(std::make_shared<std::vector<Ends>>()) {
  assert(matrix.panel() % kGroupRows == 0 && (rows == Rows::kBatch || matrix.features() % kGroupRows == 0));
  const int64_t groups = rows == Rows::kBatch ? BatchGroups(matrix) : matrix.features() / kGroupRows;
  ends_->resize(static_cast<size_t>(groups) + 1);
  rows == Rows::kBatch ? CountBatchGroups(matrix) : CountFeatureGroups(matrix);
  AddUp();
  Allocate(matrix.panels());
  rows == Rows::kBatch ? FillBatchGroups(matrix) : FillFeatureGroups(matrix);
}

ActivationLists::ActivationLists(const PanelMatrix& matrix, const ActivationLists& same_zeros)
    : orientation_(same_zeros.orientation_), rows_(same_zeros.rows_), cols_(same_zeros.cols_), ends_(same_zeros.ends_) {
  Allocate(matrix.panels());
  orientation_ == Rows::kBatch ? FillBatchGroups(matrix) : FillFeatureGroups(matrix);
}

void ActivationLists::CountBatchGroups(const PanelMatrix& matrix) {
  const int64_t per_panel = matrix.panel() / kGroupRows;
  ParallelFor(matrix.panels(), 1 + kGrain / (matrix.features() * matrix.panel() + 1), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const uint64_t* const nonzero = matrix.nonzero(p);
      Ends* const counts = ends_->data() + 1 + p * per_panel;
      for (int64_t j = 0; j < matrix.features(); ++j) {
        for (int64_t g = 0; g < per_panel; ++g) ++counts[g][nonzero[j] >> (kGroupRows * g) & (kCodes - 1)];
      }
    }
  });
}

void ActivationLists::CountFeatureGroups(const PanelMatrix& matrix) {
  ParallelFor(groups(), 1 + kGrain / (matrix.batch() * kGroupRows + 1), [&](int64_t begin, int64_t end) {
    for (int64_t group = begin; group < end; ++group) {
      Ends& counts = (*ends_)[group + 1];
      for (int64_t p = 0; p < matrix.panels(); ++p) {
        uint64_t rows[kCodes];
        RowsOfCodes(matrix.nonzero(p) + group * kGroupRows, matrix.valid_bits(p), rows);
        for (int code = 1; code < kCodes; ++code) counts[code] += static_cast<uint32_t>(std::popcount(rows[code]));
      }
    }
  });
}

void ActivationLists::AddUp() {
  uint32_t sum = 0;
  for (Ends& ends : *ends_) {
    ends[0] = sum;
    for (int code = 1; code < kCodes; ++code) ends[code] = sum += ends[code];
  }
}

void ActivationLists::Allocate(int64_t panels) {
  // One more for each panel: where the columns of code 0 are thrown.
  const size_t entries = size_t{ends_->back().back()} + static_cast<size_t>(panels);
  storage_ = std::make_unique<Storage>(entries * (sizeof(*values_) + sizeof(*columns_)));
  values_ = reinterpret_cast<float(*)[kGroupRows]>(storage_->data());
  columns_ = reinterpret_cast<int32_t*>(values_ + entries);
}

void ActivationLists::FillBatchGroups(const PanelMatrix& matrix) {
  const int64_t per_panel = matrix.panel() / kGroupRows;
  const uint32_t nowhere = ends_->back().back();
  ParallelFor(matrix.panels(), 1 + kGrain / (matrix.features() * matrix.panel() + 1), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      uint32_t next[kMaxPanelGroups][kCodes];
      for (int64_t g = 0; g < per_panel; ++g) {
        std::memcpy(next[g] + 1, ends(p * per_panel + g).data(), (kCodes - 1) * sizeof(uint32_t));
        next[g][0] = nowhere + static_cast<uint32_t>(p);
      }
      const uint64_t* const nonzero = matrix.nonzero(p);
      const float* values = matrix.values(p);
      for (int64_t j = 0; j < matrix.features(); ++j, values += matrix.panel()) {
        // Without a branch on the code, which nothing could predict.
        for (int64_t g = 0; g < per_panel; ++g) {
          const uint64_t code = nonzero[j] >> (kGroupRows * g) & (kCodes - 1);
          const uint32_t to = next[g][code];
          next[g][code] = to + (code != 0);
          columns_[to] = static_cast<int32_t>(j);
          std::memcpy(values_[to], values + kGroupRows * g, sizeof(*values_));
        }
      }
    }
  });
}

void ActivationLists::FillFeatureGroups(const PanelMatrix& matrix) {
  ParallelFor(groups(), 1 + kGrain / (matrix.batch() * kGroupRows + 1), [&](int64_t begin, int64_t end) {
    for (int64_t group = begin; group < end; ++group) {
      uint32_t next[kCodes];
      std::memcpy(next + 1, ends(group).data(), (kCodes - 1) * sizeof(uint32_t));
      for (int64_t p = 0; p < matrix.panels(); ++p) {
        const uint64_t* const w = matrix.nonzero(p) + group * kGroupRows;
        const float* const values = matrix.values(p) + group * kGroupRows * matrix.panel();
        for (uint64_t any = w[0] | w[1] | w[2] | w[3]; any != 0; any &= any - 1) {
          const int row = std::countr_zero(any);
          const uint64_t code =
              (w[0] >> row & 1) | (w[1] >> row & 1) << 1 | (w[2] >> row & 1) << 2 | (w[3] >> row & 1) << 3;
          const uint32_t to = next[code]++;
          columns_[to] = static_cast<int32_t>(p * matrix.panel() + row);
          for (int r = 0; r < kGroupRows; ++r) values_[to][r] = values[r * matrix.panel() + row];
        }
      }
    }
  });
}

}  // namespace twofour::sparse
