#pragma once

#include <cstdint>

#include "twofour/core/ceil_div.h"
#include "twofour/core/parallel.h"

namespace twofour::sparse {

/// How a product of lists [rows, cols] with a dense matrix [cols, n] is cut into items: a panel of columns of the dense
/// matrix, and a range of rows of the lists. Cuts depend on the shape and on the number of threads, and results on
/// neither.
struct ListWork {
  ListWork(int64_t list_rows, int64_t list_cols, int64_t n, int64_t panel, int64_t items_wanted = ItemsForThreads())
      : panels(CeilDiv(n, panel)) {
    // The sums of a range stay in the second-level cache. Ranges are shorter if there would be too few items.
    constexpr int64_t kMostRows = 1024, kFewestRows = 32;
    rows = kMostRows;
    while (rows > kFewestRows && panels * (list_rows / rows) < items_wanted) rows /= 2;
    ranges = CeilDiv(list_rows, rows);
    const int64_t item_work = rows * list_cols * panel;  // As if there were no zeros.
    grain = 1 + (int64_t{1} << 21) / (item_work + 1);
  }

  int64_t items() const { return panels * ranges; }

  int64_t panels, ranges, rows, grain;
};

}  // namespace twofour::sparse
