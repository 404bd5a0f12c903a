#pragma once

#include <algorithm>
#include <cstdint>

#include "twofour/core/ceil_div.h"
#include "twofour/core/parallel.h"

namespace twofour::sparse {

/// How a product with a matrix of strips is cut into panels of batch rows and, within them, ranges of strips. Cuts
/// depend on the shape and on the number of threads, and results on neither: each is summed up in one item.
struct PanelWork {
  /// Ranges are whole groups of `group` strips. `items_wanted` is at least what threads need, if there is so much work.
  PanelWork(int64_t all_strips, int64_t cols, int64_t batch, int64_t panel, int64_t group,
            int64_t items_wanted = ItemsForThreads())
      : panels(CeilDiv(batch, panel)) {
    constexpr int64_t kMostStrips = 1024;  // Their sums must stay in the second-level cache.
    constexpr int64_t kFewestStrips = 16;  // With fewer, making the block of activations takes too long.
    ranges = CeilDiv(all_strips, kMostStrips);
    if (panels > 0 && panels * ranges < items_wanted) {
      ranges = std::max(ranges, std::min(CeilDiv(items_wanted, panels), all_strips / kFewestStrips));
    }
    strips = RoundUp(CeilDiv(all_strips, std::max<int64_t>(ranges, 1)), group);
    ranges = CeilDiv(all_strips, std::max<int64_t>(strips, 1));
    grain = 1 + (int64_t{1} << 21) / (strips * 4 * cols * panel + 1);
  }

  int64_t items() const { return panels * ranges; }

  int64_t panels, ranges, strips, grain;
};

}  // namespace twofour::sparse
