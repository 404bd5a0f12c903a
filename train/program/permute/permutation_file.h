#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/nn/channel_groups.h"
#include "twofour/sparse/permutation/channel_order.h"

namespace twofour::train {

/// Writes permutation.safetensors: for each group an i64 tensor [size] with the group's name. Entry i is the channel
/// that now stands at place i. `orders` go with `groups`.
void SavePermutation(FileSystem& files, const std::filesystem::path& path, std::span<const nn::ChannelGroup> groups,
                     std::span<const sparse::ChannelOrder> orders, const std::map<std::string, std::string>& metadata);

/// What such a file holds: an order for each group, and the metadata.
struct Permutation {
  std::vector<sparse::ChannelOrder> orders;
  std::map<std::string, std::string> metadata;
};

/// Reads the orders of these groups. A group that the file lacks keeps its order. Throws Error, naming the file and the
/// tensor, on a tensor that is of no group, on another type or size than the group's, and on entries that are no order;
/// and if the file has no tensors at all.
Permutation LoadPermutation(FileSystem& files, const std::filesystem::path& path,
                            std::span<const nn::ChannelGroup> groups);

}  // namespace twofour::train
