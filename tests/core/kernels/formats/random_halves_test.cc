#include "twofour/core/kernels/formats/random_halves.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "tests/support/for_each_isa.h"

namespace twofour::kernels {
namespace {

TEST(RandomHalvesLoopsTest, AreTheBlocksOfTheKeyForEveryCount) {
  const RandomKey key{.seed = 0x0123456789abcdef, .stream = 0xC0000007, .step = 0xfedcba9876543210};
  test::ForEachIsa([&](Isa) {
    for (const uint32_t first : {0u, 77u, 0xfffffff0u}) {  // The last ones pass the end of the counter.
      for (int64_t blocks = 0; blocks <= 70; ++blocks) {
        constexpr uint16_t kGuard = 0x5a5a;
        std::vector<uint16_t> numbers(static_cast<size_t>(8 * blocks + 1), kGuard);
        loops::RandomHalves(key, first, blocks, numbers.data());
        for (int64_t i = 0; i < 8 * blocks; ++i) {
          const uint32_t word = RandomBlock(key, first + static_cast<uint32_t>(i / 8))[i % 8 / 2];
          ASSERT_EQ(numbers[static_cast<size_t>(i)], i % 2 == 0 ? word & 0xffff : word >> 16) << i << " of " << blocks;
        }
        ASSERT_EQ(numbers.back(), kGuard);
      }
    }
  });
}

}  // namespace
}  // namespace twofour::kernels
