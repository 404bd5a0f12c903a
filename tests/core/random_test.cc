#include "twofour/core/random.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "twofour/core/error.h"

#include "tests/support/tensors.h"

namespace twofour {
namespace {

using test::ExpectBitEqual;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(PhiloxTest, KnownAnswers) {
  // From kat_vectors of the authors' Random123 distribution: philox4x32-10.
  EXPECT_THAT(Philox4x32({0, 0, 0, 0}, {0, 0}), ElementsAre(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  EXPECT_THAT(Philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
              ElementsAre(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd));
  EXPECT_THAT(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
              ElementsAre(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1));
}

TEST(RandomKeyTest, EachPartOfTheKeyHasItsPlaceInTheCounter) {
  // Runs that are resumed depend on this layout.
  const RandomKey key{.seed = 0x0123456789abcdef, .stream = 0x5555aaaa, .step = 0xfedcba9876543210};
  EXPECT_EQ(RandomBlock(key, 77), Philox4x32({77, 0x5555aaaa, 0x76543210, 0xfedcba98}, {0x89abcdef, 0x01234567}));
}

TEST(RandomKeyTest, KeysThatDifferAnywhereGiveOtherNumbers) {
  const uint64_t high = uint64_t{1} << 32;
  const std::vector<RandomKey> keys = {{0, 0, 0}, {1, 0, 0}, {high, 0, 0}, {0, 1, 0}, {0, 0, 1}, {0, 0, high}};
  std::set<uint32_t> seen;
  for (const RandomKey& key : keys) {
    RandomSequence sequence(key);
    for (int i = 0; i < 100; ++i) seen.insert(sequence.NextBits());
  }
  // 600 draws out of 2^32: the odds of a collision are one in 24000, and there is none here.
  EXPECT_EQ(seen.size(), 600u);
}

TEST(RandomKeyTest, StreamsAreUncorrelated) {
  constexpr int kCount = 20000;
  RandomSequence a({3, 0, 0}), b({3, 1, 0}), c({3, 0, 1});
  double ab = 0, ac = 0;
  for (int i = 0; i < kCount; ++i) {
    const double x = static_cast<double>(a.Uniform()) - 0.5;
    ab += x * (static_cast<double>(b.Uniform()) - 0.5);
    ac += x * (static_cast<double>(c.Uniform()) - 0.5);
  }
  const double bound = 5 * std::sqrt(kCount) / 12;  // Five standard deviations of the sum.
  EXPECT_LT(std::abs(ab), bound);
  EXPECT_LT(std::abs(ac), bound);
}

TEST(RandomSequenceTest, WalksTheBlocksInOrder) {
  const RandomKey key{9, 8, 7};
  RandomSequence sequence(key);
  for (uint32_t block = 0; block < 5; ++block) {
    for (const uint32_t expected : RandomBlock(key, block)) EXPECT_EQ(sequence.NextBits(), expected);
  }
}

TEST(RandomSequenceTest, UniformMoments) {
  constexpr int kCount = 100000;
  RandomSequence sequence({1});
  double sum = 0, squares = 0;
  for (int i = 0; i < kCount; ++i) {
    const float u = sequence.Uniform();
    ASSERT_TRUE(u >= 0 && u < 1) << u;
    sum += static_cast<double>(u);
    squares += static_cast<double>(u) * static_cast<double>(u);
  }
  EXPECT_NEAR(sum / kCount, 0.5, 5 * std::sqrt(1.0 / 12 / kCount));
  EXPECT_NEAR(squares / kCount, 1.0 / 3, 5 * std::sqrt(4.0 / 45 / kCount));
}

TEST(RandomSequenceTest, UniformStaysBelowOneAtTheHighestBits) {
  EXPECT_LT(ToUniform(0xffffffff), 1.0f);
  EXPECT_EQ(ToUniform(0), 0.0f);
  EXPECT_EQ(ToUniform(0x80000000), 0.5f);
}

TEST(RandomSequenceTest, NormalMoments) {
  constexpr int kCount = 100000;
  RandomSequence sequence({2});
  double sum = 0, squares = 0, cubes = 0, fourths = 0;
  int within_one = 0;
  for (int i = 0; i < kCount; ++i) {
    const double x = static_cast<double>(sequence.Normal());
    sum += x;
    squares += x * x;
    cubes += x * x * x;
    fourths += x * x * x * x;
    within_one += std::abs(x) < 1;
  }
  // Standard deviations of the powers 1 to 4 of a standard normal variable: 1, 2, 15 and 96 squared.
  EXPECT_NEAR(sum / kCount, 0, 5 * std::sqrt(1.0 / kCount));
  EXPECT_NEAR(squares / kCount, 1, 5 * std::sqrt(2.0 / kCount));
  EXPECT_NEAR(cubes / kCount, 0, 5 * std::sqrt(15.0 / kCount));
  EXPECT_NEAR(fourths / kCount, 3, 5 * std::sqrt(96.0 / kCount));
  EXPECT_NEAR(within_one / static_cast<double>(kCount), 0.6826895, 5 * std::sqrt(0.6827 * 0.3173 / kCount));
}

TEST(RandomSequenceTest, BelowIsUniform) {
  RandomSequence sequence({4});
  for (int i = 0; i < 100; ++i) EXPECT_EQ(sequence.Below(1), 0u);
  constexpr int kCount = 30000;
  std::vector<int> thirds(3);
  for (int i = 0; i < kCount; ++i) {
    const uint32_t x = sequence.Below(3);
    ASSERT_LT(x, 3u);
    ++thirds[x];
  }
  for (const int count : thirds) EXPECT_NEAR(count, kCount / 3, 5 * std::sqrt(kCount * 2.0 / 9));
}

TEST(RandomSequenceTest, BelowALargeBoundIsUniform) {
  // Taking bits modulo this bound would draw nearly all results twice as often as the rest. To avoid that, half of all
  // draws must be refused.
  constexpr uint32_t kBound = 0x80000001;
  constexpr int kCount = 30000, kParts = 8;
  RandomSequence sequence({5});
  std::vector<int> parts(kParts);
  for (int i = 0; i < kCount; ++i) {
    const uint32_t x = sequence.Below(kBound);
    ASSERT_LT(x, kBound);
    ++parts[std::min<uint64_t>(uint64_t{x} * kParts / kBound, kParts - 1)];
  }
  for (const int count : parts) EXPECT_NEAR(count, kCount / kParts, 5 * std::sqrt(kCount * 7.0 / 64));
}

TEST(RandomSequenceTest, BelowDoesNotFavourSomeResults) {
  // There are four draws for three results. Taking all of them would make every third result twice as likely.
  constexpr int kCount = 30000;
  RandomSequence sequence({7});
  std::vector<int> thirds(3);
  for (int i = 0; i < kCount; ++i) ++thirds[sequence.Below(0xc0000000) % 3];
  for (const int count : thirds) EXPECT_NEAR(count, kCount / 3, 5 * std::sqrt(kCount * 2.0 / 9));
}

TEST(RandomSequenceTest, BelowAPowerOfTwoTakesTheHighBits) {
  // No draw is refused here, so each result is known.
  RandomSequence sequence({6}), bits({6});
  for (int i = 0; i < 50; ++i) EXPECT_EQ(sequence.Below(1024), bits.NextBits() >> 22);
}

TEST(RandomSequenceTest, Below64IsUniform) {
  // Bounds above 2^32. For the last one, about half of all draws must be refused.
  constexpr int kCount = 30000, kParts = 8;
  for (const uint64_t bound : {(uint64_t{1} << 33) + 5, (uint64_t{1} << 63) + 1}) {
    RandomSequence sequence({8});
    std::vector<int> parts(kParts), remainders(3);
    for (int i = 0; i < kCount; ++i) {
      const uint64_t x = sequence.Below64(bound);
      ASSERT_LT(x, bound);
      ++parts[std::min<uint64_t>(x / (bound / kParts), kParts - 1)];
      ++remainders[x % 3];
    }
    for (const int count : parts) EXPECT_NEAR(count, kCount / kParts, 5 * std::sqrt(kCount * 7.0 / 64)) << bound;
    for (const int count : remainders) EXPECT_NEAR(count, kCount / 3, 5 * std::sqrt(kCount * 2.0 / 9)) << bound;
  }
  EXPECT_EQ(RandomSequence({8}).Below64(1), 0u);
}

TEST(RandomSequenceTest, Below64DoesNotFavourSomeResults) {
  // Four draws for three results, as for 32 bits above.
  constexpr int kCount = 30000;
  RandomSequence sequence({7});
  std::vector<int> thirds(3);
  for (int i = 0; i < kCount; ++i) ++thirds[sequence.Below64(uint64_t{3} << 62) >> 62];
  for (const int count : thirds) EXPECT_NEAR(count, kCount / 3, 5 * std::sqrt(kCount * 2.0 / 9));
}

TEST(GeneratorTest, HandsOutStreamsOfItsSeed) {
  Generator generator(42);
  const RandomKey first = generator.NextKey(), second = generator.NextKey();
  EXPECT_EQ(first.seed, 42u);
  EXPECT_EQ(second.seed, 42u);
  EXPECT_NE(first.stream, second.stream);
  EXPECT_EQ(first.step, second.step);
  EXPECT_EQ(Generator(42).NextKey().stream, first.stream);
}

TEST(FillTest, UniformLiesInItsRange) {
  for (const DType dtype : {DType::kF32, DType::kF64}) {
    Tensor t = Tensor::Empty({50000}, dtype);
    FillUniform(t, -3, 5, {1});
    const std::vector<float> values = t.ToVector();
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    EXPECT_TRUE(*low >= -3 && *low < -2.99f) << *low;
    EXPECT_TRUE(*high <= 5 && *high > 4.99f) << *high;
    double sum = 0;
    for (const float v : values) sum += static_cast<double>(v);
    EXPECT_NEAR(sum / 50000, 1.0, 5 * std::sqrt(64.0 / 12 / 50000));
  }
}

TEST(FillTest, NormalHasItsMoments) {
  Tensor t = Tensor::Empty({50000});
  FillNormal(t, 2, 0.5, {1});
  double sum = 0, squares = 0;
  for (const float v : t.ToVector()) {
    sum += static_cast<double>(v) - 2;
    squares += (static_cast<double>(v) - 2) * (static_cast<double>(v) - 2);
  }
  EXPECT_NEAR(sum / 50000, 0, 5 * 0.5 / std::sqrt(50000));
  EXPECT_NEAR(squares / 50000, 0.25, 5 * 0.25 * std::sqrt(2.0 / 50000));
}

TEST(FillTest, DependsOnTheKeyAlone) {
  Tensor a = Tensor::Empty({100}), b = Tensor::Empty({10, 10}), c = Tensor::Empty({100});
  const uint64_t version = a.version();
  FillNormal(a, 0, 1, {1, 2, 3});
  EXPECT_GT(a.version(), version);
  FillNormal(b, 0, 1, {1, 2, 3});
  FillNormal(c, 0, 1, {1, 2, 4});
  ExpectBitEqual(b.View({100}), a);
  EXPECT_NE(c.ToVector(), a.ToVector());
}

TEST(FillTest, Errors) {
  Tensor indices = Tensor::Zeros({2}, DType::kI32), undefined;
  EXPECT_THAT([&] { FillUniform(indices, 0, 1, {1}); }, ThrowsMessage<Error>(HasSubstr("FillUniform")));
  EXPECT_THAT([&] { FillNormal(indices, 0, 1, {1}); }, ThrowsMessage<Error>(HasSubstr("FillNormal")));
  EXPECT_THROW(FillNormal(undefined, 0, 1, {1}), Error);
}

TEST(RandomSequenceTest, NoNumberLiesBelowZero) {
  RandomSequence sequence({.seed = 1});
  EXPECT_THAT([&] { sequence.Below(0); }, ThrowsMessage<Error>(HasSubstr("positive bound")));
  EXPECT_THAT([&] { sequence.Below64(0); }, ThrowsMessage<Error>(HasSubstr("positive bound")));
}

}  // namespace
}  // namespace twofour
