#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace twofour {

/// Which column each row gets, each column once, and the prices that prove that no other assignment gains more: each
/// gain is at most row_prices[row] + column_prices[column] (up to rounding), and equals it where the row has the
/// column.
struct Assignment {
  std::vector<int64_t> column_of_row;
  std::vector<double> row_prices, column_prices;
};

/// The assignment with the largest sum of gains [size, size], row-major (linear assignment problem). It takes size^3
/// steps: rows get columns one after another, each by a shortest augmenting path (Kuhn, "The Hungarian method", 1955;
/// Jonker and Volgenant, "A shortest augmenting path algorithm for dense and sparse linear assignment problems", 1987).
/// Where columns are equally good on the way, the first one is taken, so equal gains give equal assignments. Throws
/// Error if there are not size^2 gains or one is not finite.
Assignment AssignForLargestGain(std::span<const double> gains, int64_t size);

}  // namespace twofour
