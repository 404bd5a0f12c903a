#include "twofour/sparse/tile_mask.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "twofour/core/never_destroyed.h"

namespace twofour::sparse {
namespace {

constexpr int kPairs = 6;
constexpr int kPairColumns[kPairs][2] = {{0, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}, {2, 3}};

/// The number of the pair {a, b}; a != b.
int PairIndex(int a, int b) {
  if (a > b) std::swap(a, b);
  for (int p = 0; p < kPairs; ++p) {
    if (kPairColumns[p][0] == a && kPairColumns[p][1] == b) return p;
  }
  return -1;
}

/// Two adjacent rows' pairs: (pair of the first, pair of the second).
struct Half {
  int first, second;
};

/// Masks whose upper and lower halves can be chosen independently.
struct Family {
  std::vector<Half> upper, lower;
};

TileMask MaskOf(const Half& upper, const Half& lower) {
  const int pairs[kTileSize] = {upper.first, upper.second, lower.first, lower.second};
  TileMask mask = 0;
  for (int row = 0; row < kTileSize; ++row) {
    for (int col : kPairColumns[pairs[row]]) mask = static_cast<TileMask>(mask | 1u << (kTileSize * row + col));
  }
  return mask;
}

std::vector<Family> MakeFamilies() {
  std::vector<Family> families(1);
  for (int a = 0; a < kPairs; ++a) {
    families[0].upper.push_back({a, 5 - a});
    families[0].lower.push_back({a, 5 - a});
  }
  for (int a = 0; a < kPairs; ++a) families.push_back({{{a, a}}, {{5 - a, 5 - a}}});
  for (int h = 0; h < kTileSize; ++h) {
    for (int z = 0; z < kTileSize; ++z) {
      if (h == z) continue;
      int rest[2], count = 0;
      for (int c = 0; c < kTileSize; ++c) {
        if (c != h && c != z) rest[count++] = c;
      }
      const int ho = PairIndex(h, rest[0]), hq = PairIndex(h, rest[1]);
      const int zo = PairIndex(z, rest[0]), zq = PairIndex(z, rest[1]);
      families.push_back({{{ho, hq}, {hq, ho}}, {{zo, zq}, {zq, zo}}});
    }
  }
  return families;
}

const std::vector<Family>& Families() {
  static const NeverDestroyed<std::vector<Family>> families(MakeFamilies());
  return *families;
}

/// a + b, rounded as a float whose exponent has no upper bound. The sum of two floats in double, rounded to float, is
/// the same as their sum in float, because 53 bits are more than twice 24.
double FloatSum(double a, double b) {
  constexpr double kLarge = 0x1p127;
  const double sum = a + b;
  if (std::fabs(sum) < kLarge) return static_cast<double>(static_cast<float>(sum));
  return static_cast<double>(static_cast<float>(sum * 0x1p-8)) * 0x1p8;
}

/// The differences that ExactTileMask needs, for each column.
struct ColumnDifferences {
  double upper[kTileSize];   ///< Row 0 less row 1.
  double lower[kTileSize];   ///< Row 2 less row 3.
  double halves[kTileSize];  ///< Rows 0 and 1 less rows 2 and 3.
};

ColumnDifferences DifferencesOf(const TileMagnitudes& magnitudes) {
  ColumnDifferences differences;
  for (int col = 0; col < kTileSize; ++col) {
    const auto row = [&](int r) { return static_cast<double>(magnitudes[kTileSize * r + col]); };
    differences.upper[col] = FloatSum(row(0), -row(1));
    differences.lower[col] = FloatSum(row(2), -row(3));
    differences.halves[col] = FloatSum(FloatSum(row(0), row(1)), -FloatSum(row(2), row(3)));
  }
  return differences;
}

/// What to keep of columns a and b. Two rows keep a, and two keep b.
struct PairChoice {
  double gain;  ///< Kept less dropped.
  TileMask kept;
};

PairChoice BestOfPair(int a, int b, const ColumnDifferences& columns) {
  const double upper = FloatSum(columns.upper[a], -columns.upper[b]);
  const double lower = FloatSum(columns.lower[a], -columns.lower[b]);
  const double halves = FloatSum(columns.halves[a], -columns.halves[b]);
  const double crossed = FloatSum(std::fabs(upper), std::fabs(lower));
  const bool same = std::fabs(halves) > crossed;
  const bool row_keeps_a[kTileSize] = {same ? halves >= 0 : upper >= 0, same ? halves >= 0 : upper < 0,
                                       same ? halves < 0 : lower >= 0, same ? halves < 0 : lower < 0};
  PairChoice choice = {same ? std::fabs(halves) : crossed, 0};
  for (int row = 0; row < kTileSize; ++row) {
    choice.kept = static_cast<TileMask>(choice.kept | 1u << (kTileSize * row + (row_keeps_a[row] ? a : b)));
  }
  return choice;
}

}  // namespace

std::span<const TileMask> TransposableMasks() {
  static const NeverDestroyed<std::vector<TileMask>> masks([] {
    std::vector<TileMask> result;
    for (const Family& family : Families()) {
      for (const Half& upper : family.upper) {
        for (const Half& lower : family.lower) result.push_back(MaskOf(upper, lower));
      }
    }
    return result;
  }());
  return *masks;
}

TileMask ExactTileMask(const TileMagnitudes& magnitudes) {
  constexpr int kWays[3][2][2] = {{{0, 1}, {2, 3}}, {{0, 2}, {1, 3}}, {{0, 3}, {1, 2}}};
  const ColumnDifferences columns = DifferencesOf(magnitudes);
  TileMask best = 0;
  double best_gain = -1.0;  // Below every gain.
  for (const auto& [one, other] : kWays) {
    const PairChoice first = BestOfPair(one[0], one[1], columns);
    const PairChoice second = BestOfPair(other[0], other[1], columns);
    const double gain = FloatSum(first.gain, second.gain);
    if (gain > best_gain) {
      best = static_cast<TileMask>(first.kept | second.kept);
      best_gain = gain;
    }
  }
  return best;
}

TileMask GreedyTileMask(const TileMagnitudes& magnitudes) {
  std::array<int, 16> order;
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return magnitudes[a] > magnitudes[b]; });
  int in_row[kTileSize] = {}, in_col[kTileSize] = {};
  TileMask mask = 0;
  for (int entry : order) {
    const int row = entry / kTileSize, col = entry % kTileSize;
    if (in_row[row] == 2 || in_col[col] == 2) continue;
    ++in_row[row];
    ++in_col[col];
    mask = static_cast<TileMask>(mask | 1u << entry);
  }
  return mask;
}

}  // namespace twofour::sparse
