#include "twofour/core/kernels/elements/rounded_sum.h"

#include <gtest/gtest.h>

#include <vector>

#include "twofour/core/dtype.h"

#include "tests/support/awkward_floats.h"
#include "tests/support/for_each_isa.h"
#include "tests/support/tensors.h"

namespace twofour::kernels {
namespace {

template <typename T>
class RoundedSumTest : public ::testing::Test {};
using Types = ::testing::Types<Float16, BFloat16>;
TYPED_TEST_SUITE(RoundedSumTest, Types);

template <typename T>
std::vector<T> Numbers(int64_t n, uint32_t stream) {
  std::vector<T> values;
  for (const float x : test::AwkwardFloats(n, {.seed = 1, .stream = stream}, true)) values.push_back(static_cast<T>(x));
  return values;
}

TYPED_TEST(RoundedSumTest, AddsInFloatInOrderAndRoundsOnce) {
  using T = TypeParam;
  test::ForEachIsa([](Isa) {
    for (const int64_t n : {0, 1, 15, 33, 1023, 1024, 1025, 40'003}) {
      std::vector<std::vector<T>> numbers;
      std::vector<const T*> terms;
      std::vector<float> sums(static_cast<size_t>(n));
      for (uint32_t count = 1; count <= 5; ++count) {
        numbers.push_back(Numbers<T>(n, count));
        terms.push_back(numbers.back().data());
        for (size_t i = 0; i < sums.size(); ++i) {
          const float x = static_cast<float>(numbers.back()[i]);
          sums[i] = count == 1 ? x : sums[i] + x;
        }
        for (const int threads : {1, 3}) {
          const test::ScopedNumThreads scope(threads);
          std::vector<T> out(sums.size() + 1, static_cast<T>(77.0f));
          RoundedSum<T>(n, terms, out.data());
          for (size_t i = 0; i < sums.size(); ++i) {
            ASSERT_PRED2(test::SameFloat, static_cast<float>(out[i]), static_cast<float>(static_cast<T>(sums[i])))
                << count << " terms, element " << i << " of " << n;
          }
          ASSERT_EQ(static_cast<float>(out.back()), 77.0f);
        }
      }
    }
  });
}

TYPED_TEST(RoundedSumTest, TheResultMayBeATerm) {
  using T = TypeParam;
  constexpr int64_t kSize = 3000;
  const auto a = Numbers<T>(kSize, 1), b = Numbers<T>(kSize, 2);
  std::vector<T> expected(kSize), in_place = b;
  RoundedSum<T>(kSize, std::vector<const T*>{a.data(), b.data()}, expected.data());
  RoundedSum<T>(kSize, std::vector<const T*>{a.data(), in_place.data()}, in_place.data());
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_PRED2(test::SameFloat, static_cast<float>(in_place[i]), static_cast<float>(expected[i])) << i;
  }
}

}  // namespace
}  // namespace twofour::kernels
