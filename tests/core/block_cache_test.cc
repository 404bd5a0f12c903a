#include "twofour/core/block_cache.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "twofour/core/storage.h"

namespace twofour {
namespace {

constexpr size_t kLarge = BlockCache::kMinBytes;

bool CachesHere() {
  BlockCache cache(kLarge);
  cache.Free(cache.Allocate(kLarge), kLarge);
  return cache.cached_bytes() > 0;
}

#define SKIP_WHERE_NOTHING_IS_CACHED() \
  if (!CachesHere()) GTEST_SKIP() << "AddressSanitizer: nothing is cached"

TEST(BlockCacheTest, KeepsNothingUnderAddressSanitizer) {
#ifdef __SANITIZE_ADDRESS__
  EXPECT_FALSE(CachesHere());
#else
  GTEST_SKIP() << "no AddressSanitizer here";
#endif
}

TEST(BlockCacheTest, RoundedSizesAreAtMostAnEighthLargerAndFew) {
  EXPECT_EQ(RoundUpForReuse(0), 0u);
  std::set<size_t> sizes;
  for (size_t bytes = 1 << 20; bytes < 2 << 20; bytes += 4099) {
    const size_t rounded = RoundUpForReuse(bytes);
    EXPECT_GE(rounded, bytes);
    EXPECT_LE(rounded, bytes + bytes / 8);
    EXPECT_EQ(RoundUpForReuse(rounded), rounded);
    sizes.insert(rounded);
  }
  EXPECT_LE(sizes.size(), 9u);
}

TEST(BlockCacheTest, BlocksAreAlignedAndWritable) {
  BlockCache cache(4 * kLarge);
  for (const size_t bytes : {size_t{1}, size_t{63}, size_t{64}, kLarge - 1, kLarge, kLarge + 1, 3 * kLarge + 17}) {
    std::byte* block = cache.Allocate(bytes);
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % BlockCache::kAlignment, 0u);
    std::memset(block, 1, bytes);
    cache.Free(block, bytes);
  }
  EXPECT_EQ(cache.Allocate(0), nullptr);
  cache.Free(nullptr, 0);
}

TEST(BlockCacheTest, ASizeThatCannotBePaddedIsNull) {
  BlockCache cache(kLarge);
  EXPECT_EQ(cache.Allocate(SIZE_MAX), nullptr);
}

TEST(BlockCacheTest, ReusesABlockOfTheSameSizeButNoneOfTwiceTheSize) {
  SKIP_WHERE_NOTHING_IS_CACHED();
  BlockCache cache(8 * kLarge);
  std::byte* block = cache.Allocate(2 * kLarge);
  cache.Free(block, 2 * kLarge);
  EXPECT_EQ(cache.cached_bytes(), 2 * kLarge);
  std::byte* other = cache.Allocate(kLarge);
  EXPECT_NE(other, block);
  EXPECT_EQ(cache.cached_bytes(), 2 * kLarge);
  // 2 kLarge - 1 bytes take as much memory as 2 kLarge.
  std::byte* again = cache.Allocate(2 * kLarge - 1);
  EXPECT_EQ(again, block);
  EXPECT_EQ(cache.cached_bytes(), 0u);
  // A block in use is not handed out again.
  std::byte* third = cache.Allocate(2 * kLarge);
  EXPECT_NE(third, block);
  cache.Free(other, kLarge);
  cache.Free(again, 2 * kLarge - 1);
  cache.Free(third, 2 * kLarge);
  EXPECT_EQ(cache.cached_bytes(), 5 * kLarge);
}

TEST(BlockCacheTest, TakesTheSmallestBlockThatIsLargerByAtMostAThird) {
  SKIP_WHERE_NOTHING_IS_CACHED();
  BlockCache cache(128 * kLarge);
  std::vector<std::byte*> blocks;
  for (const size_t size : {17u, 16u, 13u, 11u}) blocks.push_back(cache.Allocate(size * kLarge));
  size_t next = 0;
  for (const size_t size : {17u, 16u, 13u, 11u}) cache.Free(blocks[next++], size * kLarge);
  EXPECT_EQ(cache.cached_bytes(), 57 * kLarge);
  std::byte* const first = cache.Allocate(12 * kLarge);
  EXPECT_EQ(first, blocks[2]);
  EXPECT_EQ(cache.cached_bytes(), 44 * kLarge);  // The whole block is in use.
  std::byte* const second = cache.Allocate(12 * kLarge);
  EXPECT_EQ(second, blocks[1]);
  std::byte* const third = cache.Allocate(12 * kLarge);  // 17 would be too large, and 11 too small.
  EXPECT_EQ(cache.cached_bytes(), 28 * kLarge);
  // They come back with their own sizes.
  cache.Free(first, 12 * kLarge);
  cache.Free(second, 12 * kLarge);
  cache.Free(third, 12 * kLarge);
  EXPECT_EQ(cache.cached_bytes(), 69 * kLarge);
  EXPECT_EQ(cache.Allocate(13 * kLarge), blocks[2]);
  EXPECT_EQ(cache.Allocate(16 * kLarge), blocks[1]);
  cache.Free(blocks[2], 13 * kLarge);
  cache.Free(blocks[1], 16 * kLarge);
}

TEST(BlockCacheTest, WhatLivesLongTakesNoLargerBlock) {
  SKIP_WHERE_NOTHING_IS_CACHED();
  BlockCache cache(64 * kLarge);
  std::byte* const block = cache.Allocate(13 * kLarge);
  cache.Free(block, 13 * kLarge);
  std::byte* const other = cache.Allocate(12 * kLarge, BlockCache::Fit::kExact);
  EXPECT_EQ(cache.cached_bytes(), 13 * kLarge);
  EXPECT_EQ(cache.Allocate(13 * kLarge, BlockCache::Fit::kExact), block);
  cache.Free(block, 13 * kLarge);
  cache.Free(other, 12 * kLarge);
  EXPECT_EQ(cache.Allocate(12 * kLarge), other);  // Of its own size rather than a larger one.
  cache.Free(other, 12 * kLarge);
}

TEST(BlockCacheTest, ALargerBlockThatIsDroppedIsForgotten) {
  SKIP_WHERE_NOTHING_IS_CACHED();
  BlockCache cache(16 * kLarge);
  std::byte* const roomy = cache.Allocate(8 * kLarge);
  cache.Free(roomy, 8 * kLarge);
  EXPECT_EQ(cache.Allocate(7 * kLarge), roomy);
  cache.Free(roomy, 7 * kLarge);
  EXPECT_EQ(cache.cached_bytes(), 8 * kLarge);
  cache.Clear();
  // Whatever block comes next, perhaps at the same address, has the size that was asked for.
  std::byte* const block = cache.Allocate(7 * kLarge);
  cache.Free(block, 7 * kLarge);
  EXPECT_EQ(cache.cached_bytes(), 7 * kLarge);
}

TEST(BlockCacheTest, SmallBlocksAreNotKept) {
  BlockCache cache(8 * kLarge);
  cache.Free(cache.Allocate(kLarge - 64), kLarge - 64);
  EXPECT_EQ(cache.cached_bytes(), 0u);
}

TEST(BlockCacheTest, IsBoundedAndDropsTheOldest) {
  SKIP_WHERE_NOTHING_IS_CACHED();
  BlockCache cache(5 * kLarge);
  std::vector<std::byte*> blocks;
  for (size_t i = 1; i <= 3; ++i) blocks.push_back(cache.Allocate(i * kLarge));
  for (size_t i = 1; i <= 3; ++i) {
    cache.Free(blocks[i - 1], i * kLarge);
    EXPECT_LE(cache.cached_bytes(), 5 * kLarge);
  }
  EXPECT_EQ(cache.cached_bytes(), 5 * kLarge);  // Block 1 was freed, 2 and 3 stayed.
  EXPECT_EQ(cache.Allocate(2 * kLarge), blocks[1]);
  EXPECT_EQ(cache.Allocate(3 * kLarge), blocks[2]);
  cache.Free(blocks[1], 2 * kLarge);
  cache.Free(blocks[2], 3 * kLarge);
  // A block larger than the bound is never kept, and displaces nothing.
  cache.Free(cache.Allocate(6 * kLarge), 6 * kLarge);
  EXPECT_EQ(cache.cached_bytes(), 5 * kLarge);
  cache.Clear();
  EXPECT_EQ(cache.cached_bytes(), 0u);
}

TEST(BlockCacheTest, ThreadsDoNotShareBlocksInUse) {
  BlockCache cache(6 * kLarge);
  const auto work = [&cache](int id) {
    for (size_t round = 0; round < 200; ++round) {
      const size_t bytes = (1 + round % 3) * kLarge;
      std::byte* block = cache.Allocate(bytes);
      std::memset(block, id, bytes);
      std::this_thread::yield();
      for (size_t i = 0; i < bytes; i += 997) ASSERT_EQ(block[i], static_cast<std::byte>(id));
      cache.Free(block, bytes);
    }
  };
  std::vector<std::thread> threads;
  for (int id = 1; id <= 4; ++id) threads.emplace_back(work, id);
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(cache.cached_bytes(), 6 * kLarge);
}

TEST(BlockCacheTest, ABlockFreedOnOneThreadServesAnother) {
  SKIP_WHERE_NOTHING_IS_CACHED();
  BlockCache cache(kLarge);
  std::byte* block = cache.Allocate(kLarge);
  cache.Free(block, kLarge);
  std::byte* seen = nullptr;
  std::thread([&] { seen = cache.Allocate(kLarge); }).join();
  EXPECT_EQ(seen, block);
  cache.Free(seen, kLarge);
}

TEST(BlockCacheTest, StoragesDrawOnIt) {
  SKIP_WHERE_NOTHING_IS_CACHED();
  const size_t bytes = 5 * kLarge + 64 * 7;  // A size that no other test uses.
  std::byte* data = nullptr;
  {
    Storage storage(bytes);
    data = storage.data();
  }
  Storage storage(bytes);
  EXPECT_EQ(storage.data(), data);
}

}  // namespace
}  // namespace twofour
