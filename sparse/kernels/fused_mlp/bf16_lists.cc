#include "twofour/sparse/kernels/fused_mlp/bf16_lists.h"

#include <algorithm>
#include <bit>

#include "twofour/core/half.h"
#include "twofour/core/parallel.h"

namespace twofour::sparse {
namespace {

constexpr int kGroupRows = NonZeroLists::kGroupRows, kCodes = NonZeroLists::kCodes;
constexpr int kMostPanelGroups = 64 / kGroupRows;

/// For one panel and one block, a number for each group and code.
using GroupCodes = uint32_t[kMostPanelGroups][kCodes];

/// Calls visit(feature within the block, first row, group, code) for each pair of rows of panel `p` that is not zero,
/// for the block's features in order.
template <typename Visit>
void ForEachNonZeroPair(const PanelMatrix& matrix, int64_t p, int64_t first, int64_t last, const Visit& visit) {
  constexpr uint64_t kEvenBits = 0x5555555555555555;
  for (int64_t feature = first; feature < last; ++feature) {
    const uint64_t word = matrix.nonzero(p)[feature];
    for (uint64_t pairs = (word | word >> 1) & kEvenBits; pairs != 0; pairs &= pairs - 1) {
      const int row = std::countr_zero(pairs);
      visit(feature - first, row, row / kGroupRows, static_cast<int>(word >> row & (kCodes - 1)));
    }
  }
}

}  // namespace

void Bf16ActivationLists::Allocate() {
  uint32_t entries = 0;
  for (Ends& ends : ends_) {
    ends[0] = entries;
    for (int code = 1; code < kCodes; ++code) ends[code] = entries += ends[code];
  }
  storage_ = std::make_unique<Storage>(RoundUpForReuse(entries * (sizeof(*values_) + sizeof(*offsets_))));
  values_ = reinterpret_cast<uint32_t(*)[kGroupRows]>(storage_->data());
  offsets_ = reinterpret_cast<uint16_t(*)[2]>(values_ + entries);
}

void Bf16ActivationLists::FillBatchGroups(const PanelMatrix& matrix) {
  const int64_t per_panel = matrix.panel() / kGroupRows;
  const auto for_each_block = [&](const auto& visit) {
    constexpr int64_t kGrain = 64 * 1024;  // A thread should get at least this many elements.
    ParallelFor(matrix.panels(), 1 + kGrain / (cols_ * matrix.panel() + 1), [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        for (int64_t block = 0; block < blocks_; ++block) {
          visit(p, block, block * kBlockCols, std::min((block + 1) * kBlockCols, cols_));
        }
      }
    });
  };

  for_each_block([&](int64_t p, int64_t block, int64_t first, int64_t last) {
    GroupCodes counts = {};
    ForEachNonZeroPair(matrix, p, first, last, [&](int64_t, int, int group, int code) { ++counts[group][code]; });
    for (int64_t group = 0; group < per_panel; ++group) {
      Ends& joined = ends(block, p * per_panel + group);
      for (int code = 1; code < kCodes; ++code) joined[code] = (counts[group][code] + 1) / 2;
    }
  });

  Allocate();
  auto* const values = reinterpret_cast<BFloat16(*)[kGroupRows][2]>(values_);
  for_each_block([&](int64_t p, int64_t block, int64_t first, int64_t last) {
    GroupCodes next;  // Where each group's next entry goes, counted before they are joined.
    for (int64_t group = 0; group < per_panel; ++group) {
      const Ends& joined = ends(block, p * per_panel + group);
      for (int code = 1; code < kCodes; ++code) next[group][code] = 2 * joined[code - 1];
    }
    const BFloat16* const elements = matrix.values<BFloat16>(p) + first * matrix.panel();
    ForEachNonZeroPair(matrix, p, first, last, [&](int64_t column, int row, int group, int code) {
      const uint32_t at = next[group][code]++;
      const BFloat16* const pair = elements + column * matrix.panel() + row;
      for (int r = 0; r < kGroupRows; ++r) values[at / 2][r][at % 2] = pair[r];
      offsets_[at / 2][at % 2] = static_cast<uint16_t>(column * kColumnBytes);
    });
    // If an entry is left over, it is joined with zeros times the same column: another column might hold an infinity.
    for (int64_t group = 0; group < per_panel; ++group) {
      for (int code = 1; code < kCodes; ++code) {
        const uint32_t at = next[group][code];
        if (at % 2 == 0) continue;
        for (int r = 0; r < kGroupRows; ++r) values[at / 2][r][1] = BFloat16::FromBits(0);
        offsets_[at / 2][1] = offsets_[at / 2][0];
      }
    }
  });
}

}  // namespace twofour::sparse
