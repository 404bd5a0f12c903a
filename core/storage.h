#pragma once

#include <cstddef>
#include <cstdint>

#include "twofour/core/block_cache.h"

namespace twofour {

/// A block of bytes aligned for vector loads, with a version that advances at each in-place write.
/// Tensors that view the same elements (a reshape, a detached handle) share one Storage and so one
/// version.
class Storage {
 public:
  static constexpr size_t kAlignment = BlockCache::kAlignment;

  /// Uninitialised bytes. Throws Error when there is not enough memory.
  explicit Storage(size_t bytes, BlockCache::Fit fit = BlockCache::Fit::kRoomy);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  uint64_t version() const { return version_; }
  void BumpVersion() { ++version_; }

 private:
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
  uint64_t version_ = 0;
};

}  // namespace twofour
