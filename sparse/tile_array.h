#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "twofour/core/block_cache.h"
#include "twofour/core/error.h"
#include "twofour/sparse/tile_mask.h"

namespace twofour::sparse {

/// The tile masks of a matrix. Every training step makes new ones of the same sizes, so their memory comes from the
/// cache that tensors use. The C library would give fresh pages each time, which are slow.
class TileArray {
 public:
  TileArray() = default;
  /// All zeros.
  explicit TileArray(size_t count) : data_(Allocate(count)), size_(count) { std::fill_n(data_, size_, TileMask{0}); }
  TileArray(const TileArray& other) : data_(Allocate(other.size_)), size_(other.size_) {
    std::copy_n(other.data_, size_, data_);
  }
  TileArray(TileArray&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  TileArray& operator=(TileArray other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~TileArray() { BlockCache::Default().Free(reinterpret_cast<std::byte*>(data_), size_ * sizeof(TileMask)); }

  TileMask* data() { return data_; }
  const TileMask* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  bool operator==(const TileArray& other) const {
    return size_ == other.size_ && std::equal(data_, data_ + size_, other.data_);
  }

 private:
  static TileMask* Allocate(size_t count) {
    std::byte* const data = BlockCache::Default().Allocate(count * sizeof(TileMask));
    if (data == nullptr && count > 0) {
      throw Error("out of memory: " + std::to_string(count * sizeof(TileMask)) + " bytes for a mask",
                  ErrorKind::kRuntimeFailure);
    }
    return reinterpret_cast<TileMask*>(data);
  }

  TileMask* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace twofour::sparse
