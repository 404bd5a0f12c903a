#pragma once

#include <algorithm>
#include <cstdint>

#include "twofour/core/ceil_div.h"

namespace twofour::sparse {

/// How a product with a matrix of strips is cut into panels of batch rows and, within them, ranges of strips. This
/// depends on its shape alone.
struct PanelWork {
  /// Ranges are whole groups of `group` strips.
  PanelWork(int64_t all_strips, int64_t cols, int64_t batch, int64_t panel, int64_t group)
      : panels(CeilDiv(batch, panel)) {
    // The sums must stay in the second-level cache. If there are few panels, there should still be work for several
    // threads.
    constexpr int64_t kMostStrips = 1024, kFewestStrips = 32, kEnoughItems = 16;
    ranges = CeilDiv(all_strips, kMostStrips);
    if (panels > 0 && panels * ranges < kEnoughItems) {
      ranges = std::max(ranges, std::min(kEnoughItems / panels, all_strips / kFewestStrips));
    }
    strips = RoundUp(CeilDiv(all_strips, std::max<int64_t>(ranges, 1)), group);
    grain = 1 + (int64_t{1} << 21) / (strips * 4 * cols * panel + 1);
  }

  int64_t items() const { return panels * ranges; }

  int64_t panels, ranges, strips, grain;
};

}  // namespace twofour::sparse
