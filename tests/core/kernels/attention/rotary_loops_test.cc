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
      const auto cosines = Numbers(half, 1), sines = Numbers(half, 2), x = Numbers(2 * half, 3);
      std::vector<float> y(x.size() + 1, 7);
      loops::Rotate(half, cosines.data(), sines.data(), x.data(), y.data());
      const auto n = static_cast<size_t>(half);
      for (size_t i = 0; i < n; ++i) {
        const float a = x[i] * cosines[i], b = x[n + i] * sines[i], c = x[n + i] * cosines[i], d = x[i] * sines[i];
        ASSERT_EQ(y[i], a + b);
        ASSERT_EQ(y[n + i], c - d);
      }
      ASSERT_EQ(y.back(), 7);
    }
  });
}

}  // namespace
}  // namespace twofour::kernels
