#include "twofour/core/block_cache.h"

#include <bit>
#include <cstdlib>
#include <new>

namespace twofour {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kEnabled = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool kEnabled = false;
#else
constexpr bool kEnabled = true;
#endif
#else
constexpr bool kEnabled = true;
#endif

constexpr size_t kDefaultMaxBytes = size_t{512} << 20;

/// `bytes` rounded up to a multiple of the alignment, as aligned_alloc requires. 0 when that does not fit into size_t.
size_t Padded(size_t bytes) {
  return (bytes + BlockCache::kAlignment - 1) / BlockCache::kAlignment * BlockCache::kAlignment;
}

bool IsCacheable(size_t padded) { return kEnabled && padded >= BlockCache::kMinBytes; }

}  // namespace

size_t RoundUpForReuse(size_t bytes) {
  const size_t step = std::bit_floor(bytes) / 8;
  return step == 0 ? bytes : (bytes + step - 1) / step * step;
}

BlockCache& BlockCache::Default() {
  static BlockCache* const cache = new BlockCache(kDefaultMaxBytes);
  return *cache;
}

std::byte* BlockCache::Allocate(size_t bytes, Fit fit) {
  const size_t padded = Padded(bytes);
  if (padded == 0) return nullptr;
  if (IsCacheable(padded)) {
    if (std::byte* block = Take(padded, fit)) return block;
  }
  void* data = std::aligned_alloc(kAlignment, padded);
  if (data == nullptr && cached_bytes() > 0) {
    Clear();
    data = std::aligned_alloc(kAlignment, padded);
  }
  return static_cast<std::byte*>(data);
}

std::byte* BlockCache::Take(size_t bytes, Fit fit) {
  const size_t most = fit == Fit::kExact ? bytes : bytes + bytes / 3;
  const std::lock_guard lock(mutex_);
  // The newest first: its elements may still be in the processor's caches.
  auto best = blocks_.rend();
  for (auto block = blocks_.rbegin(); block != blocks_.rend(); ++block) {
    if (block->bytes < bytes || block->bytes > most || (best != blocks_.rend() && block->bytes >= best->bytes))
      continue;
    best = block;
    if (block->bytes == bytes) break;
  }
  if (best == blocks_.rend()) return nullptr;
  const Block taken = *best;
  if (taken.bytes > bytes) roomy_.emplace(taken.data, taken.bytes);
  blocks_.erase(std::next(best).base());
  cached_bytes_ -= taken.bytes;
  return taken.data;
}

void BlockCache::Free(std::byte* data, size_t bytes) noexcept {
  size_t padded = Padded(bytes);
  if (data == nullptr || !IsCacheable(padded) || padded > max_bytes_) {
    std::free(data);
    return;
  }
  const std::lock_guard lock(mutex_);
  if (const auto roomy = roomy_.find(data); roomy != roomy_.end()) {
    padded = roomy->second;
    roomy_.erase(roomy);
  }
  try {
    blocks_.push_back({data, padded});
  } catch (const std::bad_alloc&) {
    std::free(data);
    return;
  }
  cached_bytes_ += padded;
  while (cached_bytes_ > max_bytes_) {
    cached_bytes_ -= blocks_.front().bytes;
    std::free(blocks_.front().data);
    blocks_.pop_front();
  }
}

void BlockCache::Clear() noexcept {
  const std::lock_guard lock(mutex_);
  for (const Block& block : blocks_) std::free(block.data);
  blocks_.clear();
  cached_bytes_ = 0;
}

size_t BlockCache::cached_bytes() const {
  const std::lock_guard lock(mutex_);
  return cached_bytes_;
}

}  // namespace twofour
