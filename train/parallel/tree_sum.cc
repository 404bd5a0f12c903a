#include "twofour/train/parallel/tree_sum.h"

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace twofour::train {
namespace {

struct Piece {
  int64_t begin = 0, end = 0;
  std::vector<double> sum;
};

}  // namespace

std::vector<double> TreeSum(const ShardTree& tree, std::vector<std::vector<double>> shards) {
  assert(static_cast<int64_t>(shards.size()) == tree.shards());
  std::vector<Piece> pieces;
  for (std::vector<double>& numbers : shards) {
    const int64_t shard = pieces.empty() ? 0 : pieces.back().end;
    pieces.push_back({shard, shard + 1, std::move(numbers)});
    while (JoinsLastTwo(tree, pieces)) {
      Piece& left = pieces[pieces.size() - 2];
      const Piece& right = pieces.back();
      for (size_t i = 0; i < left.sum.size(); ++i) left.sum[i] += right.sum[i];
      left.end = right.end;
      pieces.pop_back();
    }
  }
  return std::move(pieces.front().sum);
}

}  // namespace twofour::train
