#pragma once

#include <cstdint>
#include <utility>

#include "twofour/sparse/vnm_columns.h"

namespace twofour::sparse {

/// A block's columns in the order in which FindVnmMask prefers them: by falling sums, of equal ones the first. Holds
/// the first four of those it was shown.
class BlockChoice {
 public:
  static constexpr int kSize = VnmPattern::kColumns;

  /// Columns must be shown in rising order.
  void Show(int64_t column, float sum) {
    int at = count_;
    while (at > 0 && sum > sums_[at - 1]) --at;
    if (at == kSize) return;
    if (count_ < kSize) ++count_;
    for (int i = count_ - 1; i > at; --i) {
      sums_[i] = sums_[i - 1];
      columns_[i] = columns_[i - 1];
    }
    sums_[at] = sum;
    columns_[at] = static_cast<int32_t>(column);
  }

  /// Whether another column, at this place and with this sum, would be among the first four.
  bool Admits(int64_t column, float sum) const {
    if (count_ < kSize) return true;
    return sum > sums_[kSize - 1] || (sum == sums_[kSize - 1] && column < columns_[kSize - 1]);
  }

  int count() const { return count_; }
  int32_t column(int rank) const { return columns_[rank]; }
  /// Equal for equal sets of columns, whatever their order. Only for columns below 255 after `first`.
  uint32_t SetKey(int64_t first) const {
    int32_t sorted[kSize] = {};
    for (int i = 0; i < kSize; ++i) sorted[i] = i < count_ ? columns_[i] - static_cast<int32_t>(first) : 255;
    const auto order = [&sorted](int a, int b) {
      if (sorted[a] > sorted[b]) std::swap(sorted[a], sorted[b]);
    };
    order(0, 1);
    order(2, 3);
    order(0, 2);
    order(1, 3);
    order(1, 2);
    uint32_t key = 0;
    for (const int32_t column : sorted) key = key << 8 | static_cast<uint32_t>(column);
    return key;
  }

 private:
  float sums_[kSize] = {};
  int32_t columns_[kSize] = {};
  int count_ = 0;
};

}  // namespace twofour::sparse
