#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <unordered_map>

namespace twofour {

/// `bytes` rounded up by at most an eighth, so that memory whose size changes a little from step to step finds a
/// block that was given back before.
size_t RoundUpForReuse(size_t bytes);

/// Memory for tensors. Large blocks that are given back are kept for the next tensor of their size, or of a size a
/// little smaller. A training step allocates the same sizes over and over. The C library would return them to the
/// system each time, which then zeroes every page again. May be used from any thread. Keeps nothing under
/// AddressSanitizer, which would not see a use of freed elements otherwise.
class BlockCache {
 public:
  static constexpr size_t kAlignment = 64;  // A cache line, and the widest vector register in use.
  /// Smaller blocks are left to the C library, which recycles them itself.
  static constexpr size_t kMinBytes = size_t{64} << 10;

  /// Keeps at most `max_bytes` in unused blocks, and frees the oldest first.
  explicit BlockCache(size_t max_bytes) : max_bytes_(max_bytes) {}
  ~BlockCache() { Clear(); }
  BlockCache(const BlockCache&) = delete;
  BlockCache& operator=(const BlockCache&) = delete;

  /// The cache of all tensors, bounded by 512 MiB. Lives until the process ends: static tensors may be freed later than
  /// any other object.
  static BlockCache& Default();

  /// Which unused blocks may serve a request.
  enum class Fit {
    kExact,  ///< Those of its size. For what lives long and would keep a larger block from those that need it.
    kRoomy,  ///< If there is none, the smallest that is larger by at most a third. For what a training step gives back.
  };

  /// At least `bytes` uninitialised bytes, aligned to kAlignment; null when there is no memory for them, or for 0
  /// bytes.
  std::byte* Allocate(size_t bytes, Fit fit = Fit::kRoomy);
  /// Takes back what Allocate(bytes) returned, which may be null.
  void Free(std::byte* data, size_t bytes) noexcept;

  /// Returns all unused blocks to the system.
  void Clear() noexcept;
  /// Bytes in unused blocks.
  size_t cached_bytes() const;

 private:
  struct Block {
    std::byte* data;
    size_t bytes;
  };

  /// An unused block that fits `bytes`, or null.
  std::byte* Take(size_t bytes, Fit fit);

  const size_t max_bytes_;
  mutable std::mutex mutex_;
  std::deque<Block> blocks_;  // Oldest first.
  size_t cached_bytes_ = 0;
  std::unordered_map<std::byte*, size_t> roomy_;  // The sizes of blocks in use that are larger than was asked for.
};

}  // namespace twofour
