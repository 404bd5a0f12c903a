#include "twofour/core/kernels/attention/rotary_loops.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "twofour/core/random.h"

#include "tests/support/for_each_isa.h"

namespace twofour::kernels {
namespace {

std::vector<float> Numbers(int64_t n, uint32_t stream) {
  RandomSequence random({.seed = 1, .stream = stream});
  std::vector<float> x(static_cast<size_t>(n));
  for (float& value : x) value = random.Uniform(-1, 1);
  return x;
}

TEST(RotaryLoopsTest, SameBitsAsPlainFloatsForEveryLength) {
  test::ForEachIsa([](Isa) {
    for (int64_t half = 1; half <= 70; ++half) {
      constexpr int64_t kRows = 3;
      const auto cosines = Numbers(half, 1), sines = Numbers(half, 2), x = Numbers(kRows * 2 * half, 3);
      std::vector<float> y(x.size() + 1, 7);
      loops::Rotate(kRows, half, cosines.data(), sines.data(), x.data(), y.data());
      const auto n = static_cast<size_t>(half);
      for (size_t at = 0; at < x.size(); at += 2 * n) {
        for (size_t i = 0; i < n; ++i) {
          const float first = x[at + i], second = x[at + n + i];
          const float a = first * cosines[i], b = second * sines[i], c = second * cosines[i], d = first * sines[i];
          ASSERT_EQ(y[at + i], a + b);
          ASSERT_EQ(y[at + n + i], c - d);
        }
      }
      ASSERT_EQ(y.back(), 7);
    }
  });
}

}  // namespace
}  // namespace twofour::kernels
