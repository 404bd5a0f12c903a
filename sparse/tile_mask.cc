#include "twofour/sparse/tile_mask.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace twofour::sparse {
namespace {

constexpr int kPairs = 6;
constexpr int kPairColumns[kPairs][2] = {{0, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}, {2, 3}};

/// The pair {a, b} by its number; a != b.
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
  static const std::vector<Family> families = MakeFamilies();
  return families;
}

/// a + b, neither of them negative, rounded as a float whose exponent has no upper bound. Rounding a double's sum of
/// two floats to float gives the float's sum: 53 bits are more than twice 24.
double FloatSum(double a, double b) {
  constexpr double kLarge = 0x1p127;
  const double sum = a + b;
  if (sum < kLarge) return static_cast<double>(static_cast<float>(sum));
  return static_cast<double>(static_cast<float>(sum * 0x1p-8)) * 0x1p8;
}

/// The first of the halves with the largest sum of the two rows' pair sums.
std::pair<Half, double> BestHalf(const std::vector<Half>& halves, const double* first_row, const double* second_row) {
  Half best = halves[0];
  double best_sum = FloatSum(first_row[best.first], second_row[best.second]);
  for (const Half& half : halves) {
    const double sum = FloatSum(first_row[half.first], second_row[half.second]);
    if (sum > best_sum) {
      best = half;
      best_sum = sum;
    }
  }
  return {best, best_sum};
}

}  // namespace

std::span<const TileMask> TransposableMasks() {
  static const std::vector<TileMask> masks = [] {
    std::vector<TileMask> result;
    for (const Family& family : Families()) {
      for (const Half& upper : family.upper) {
        for (const Half& lower : family.lower) result.push_back(MaskOf(upper, lower));
      }
    }
    return result;
  }();
  return masks;
}

TileMask ExactTileMask(const TileMagnitudes& magnitudes) {
  double pair_sums[kTileSize][kPairs];
  for (int row = 0; row < kTileSize; ++row) {
    for (int p = 0; p < kPairs; ++p) {
      const float* entries = &magnitudes[kTileSize * row];
      pair_sums[row][p] = FloatSum(entries[kPairColumns[p][0]], entries[kPairColumns[p][1]]);
    }
  }
  TileMask best = 0;
  double best_sum = -1.0;  // Below any sum of magnitudes.
  for (const Family& family : Families()) {
    const auto [upper, upper_sum] = BestHalf(family.upper, pair_sums[0], pair_sums[1]);
    const auto [lower, lower_sum] = BestHalf(family.lower, pair_sums[2], pair_sums[3]);
    const double sum = FloatSum(upper_sum, lower_sum);
    if (sum > best_sum) {
      best = MaskOf(upper, lower);
      best_sum = sum;
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
