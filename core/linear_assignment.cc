#include "twofour/core/linear_assignment.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "twofour/core/error.h"

namespace twofour {
namespace {

constexpr size_t kNone = std::numeric_limits<size_t>::max();

/// Finds the assignment of the least cost, where a cost is a negative gain. Prices stay feasible throughout: no cost is
/// below the sum of its row's and its column's price.
class PathSearch {
 public:
  PathSearch(std::span<const double> gains, size_t size)
      : gains_(gains),
        size_(size),
        row_prices_(size),
        column_prices_(size),
        column_of_row_(size, kNone),
        row_of_column_(size, kNone),
        distance_(size),
        row_before_(size),
        reached_(size) {}

  /// Gives `row` a column, for which other rows may change theirs.
  void Add(size_t row) {
    size_t column = ShortestPathFrom(row);
    // Along the path each row takes the column that the path reaches from it.
    while (true) {
      const size_t from = row_before_[column];
      row_of_column_[column] = from;
      std::swap(column, column_of_row_[from]);
      if (from == row) return;
    }
  }

  Assignment Take() const {
    Assignment found;
    for (size_t i = 0; i < size_; ++i) {
      found.column_of_row.push_back(static_cast<int64_t>(column_of_row_[i]));
      found.row_prices.push_back(-row_prices_[i]);
      found.column_prices.push_back(-column_prices_[i]);
    }
    return found;
  }

 private:
  /// The free column at the end of the shortest path from `start` (Dijkstra), where an edge is as long as its cost less
  /// the prices of its ends. row_before_ leads back. Moves the prices so that edges of the path have length 0.
  size_t ShortestPathFrom(size_t start) {
    std::ranges::fill(distance_, std::numeric_limits<double>::infinity());
    std::ranges::fill(reached_, char{0});
    order_.clear();
    size_t row = start, column = kNone;
    double so_far = 0;
    while (true) {
      const double* const gains = gains_.data() + row * size_;
      const double offset = so_far - row_prices_[row];
      size_t next = kNone;
      for (size_t j = 0; j < size_; ++j) {
        if (reached_[j]) continue;
        const double length = offset - gains[j] - column_prices_[j];
        if (length < distance_[j]) {
          distance_[j] = length;
          row_before_[j] = row;
        }
        if (next == kNone || distance_[j] < distance_[next]) next = j;
      }
      column = next;
      so_far = distance_[column];
      if (row_of_column_[column] == kNone) break;
      reached_[column] = 1;
      order_.push_back(column);
      row = row_of_column_[column];
    }
    row_prices_[start] += so_far;
    for (const size_t j : order_) {
      row_prices_[row_of_column_[j]] += so_far - distance_[j];
      column_prices_[j] -= so_far - distance_[j];
    }
    return column;
  }

  std::span<const double> gains_;
  size_t size_;
  std::vector<double> row_prices_, column_prices_;
  std::vector<size_t> column_of_row_, row_of_column_;
  // Of the path under way:
  std::vector<double> distance_;
  std::vector<size_t> row_before_, order_;
  std::vector<char> reached_;
};

}  // namespace

Assignment AssignForLargestGain(std::span<const double> gains, int64_t size) {
  const auto is_square = [&] {
    const auto n = static_cast<size_t>(size);
    return n == 0 ? gains.empty() : gains.size() % n == 0 && gains.size() / n == n;
  };
  if (size < 0 || !is_square()) {
    throw Error(fmt::format("AssignForLargestGain: {} gains, expected {} x {}", gains.size(), size, size));
  }
  const auto bad = std::ranges::find_if_not(gains, [](double gain) { return std::isfinite(gain); });
  if (bad != gains.end()) {
    const int64_t at = bad - gains.begin();
    throw Error(fmt::format("AssignForLargestGain: gain of row {}, column {} is {}, expected a finite number",
                            at / size, at % size, *bad));
  }
  PathSearch search(gains, static_cast<size_t>(size));
  for (size_t row = 0; row < static_cast<size_t>(size); ++row) search.Add(row);
  return search.Take();
}

}  // namespace twofour
