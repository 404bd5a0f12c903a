#include "twofour/train/program/permute/permutation_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/io/safetensors.h"

namespace twofour::train {
namespace {

/// The group of this name. Says which ones there are if it is none of them.
size_t GroupNamed(const std::string& name, std::span<const nn::ChannelGroup> groups, const std::string& file) {
  const auto found = std::ranges::find(groups, name, &nn::ChannelGroup::name);
  if (found != groups.end()) return static_cast<size_t>(found - groups.begin());
  throw Error(fmt::format("{}: the model has no channels '{}', expected {}{}", file, name, groups.front().name,
                          groups.size() > 1 ? fmt::format(" to {}", groups.back().name) : ""));
}

}  // namespace

void SavePermutation(FileSystem& files, const std::filesystem::path& path, std::span<const nn::ChannelGroup> groups,
                     std::span<const sparse::ChannelOrder> orders, const std::map<std::string, std::string>& metadata) {
  std::vector<NamedTensor> tensors;
  for (size_t i = 0; i < groups.size(); ++i) {
    tensors.push_back({groups[i].name, Tensor::FromVector(orders[i], {groups[i].size})});
  }
  SaveSafetensors(files, path, tensors, metadata);
}

Permutation LoadPermutation(FileSystem& files, const std::filesystem::path& path,
                            std::span<const nn::ChannelGroup> groups) {
  const SafetensorsFile file = LoadSafetensors(files, path);
  std::vector<sparse::ChannelOrder> orders;
  for (const nn::ChannelGroup& group : groups) orders.push_back(sparse::IdentityOrder(group.size));
  if (file.tensors.empty() && file.skipped.empty()) {
    throw Error(fmt::format("{}: holds no tensors, expected orders of channels", path.string()));
  }
  const auto refuse = [&](const std::string& name, const std::string& found, int64_t size) {
    throw Error(fmt::format("{}: tensor '{}' is {}, expected i64 [{}]", path.string(), name, found, size));
  };
  for (const SkippedTensor& skipped : file.skipped) {
    refuse(skipped.name, Describe(skipped), groups[GroupNamed(skipped.name, groups, path.string())].size);
  }
  for (const NamedTensor& named : file.tensors) {
    const size_t at = GroupNamed(named.name, groups, path.string());
    const int64_t size = groups[at].size;
    if (named.tensor.dtype() != DType::kI64 || named.tensor.shape() != Shape{size}) {
      refuse(named.name, Describe(named.tensor), size);
    }
    const int64_t* const data = named.tensor.data<int64_t>();
    orders[at].assign(data, data + size);
    sparse::RequireOrder(orders[at], size, fmt::format("{}: '{}'", path.string(), named.name));
  }
  return {.orders = std::move(orders), .metadata = file.metadata};
}

}  // namespace twofour::train
