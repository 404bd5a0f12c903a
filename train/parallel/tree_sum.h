#pragma once

#include <vector>

#include "twofour/train/parallel/shard_tree.h"

namespace twofour::train {

/// Adds up what the shards of a tree have, number by number, in the order of the tree. All shards have as many numbers.
std::vector<double> TreeSum(const ShardTree& tree, std::vector<std::vector<double>> shards);

}  // namespace twofour::train
