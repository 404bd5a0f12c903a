#include "twofour/core/kernels/formats/round_loops.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "twofour/core/random.h"

#include "tests/support/awkward_floats.h"
#include "tests/support/awkward_halves.h"
#include "tests/support/for_each_isa.h"
#include "tests/support/format_numbers.h"

namespace twofour::kernels {
namespace {

using loops::NumberGrid;
using test::FormatNumbers;
using Kind = NumberFormat::Kind;

struct FormatCase {
  Kind kind;
  NumberGrid grid;
};
const FormatCase kFormatCases[] = {
    {Kind::kE4M3, loops::kE4M3Grid}, {Kind::kE5M2, loops::kE5M2Grid}, {Kind::kNvfp4, loops::kE2M1Grid}};

/// All numbers of the format, what is halfway between them, a quarter of the way, and the floats beside these, of both
/// signs.
std::vector<float> FloatsAround(const FormatNumbers& numbers) {
  std::vector<float> x;
  const std::vector<double>& magnitudes = numbers.magnitudes();
  for (size_t i = 0; i < magnitudes.size(); ++i) {
    const double above = i + 1 < magnitudes.size() ? magnitudes[i + 1] : 2 * magnitudes[i] - magnitudes[i - 1];
    for (const double share : {0.0, 0.25, 0.5}) {
      const auto at = static_cast<float>(magnitudes[i] + share * (above - magnitudes[i]));
      for (const float near : {at, std::nextafter(at, 0.0f), std::nextafter(at, 1e9f)}) {
        x.push_back(near);
        x.push_back(-near);
      }
    }
  }
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float special : {1e-45f, 1e-38f, 1e30f, 3.4e38f, infinity, std::nanf("")}) {
    x.push_back(special);
    x.push_back(-special);
  }
  return x;
}

std::vector<uint16_t> RandomNumbers(size_t count, uint32_t stream) {
  RandomSequence random({.seed = 3, .stream = stream});
  std::vector<uint16_t> numbers(count + loops::kRandomPadding);
  for (uint16_t& number : numbers) number = static_cast<uint16_t>(random.NextBits());
  return numbers;
}

/// Equal to the bit as floats, or both NaN.
::testing::AssertionResult IsNumber(BFloat16 actual, double expected) {
  const auto value = static_cast<float>(actual);
  if (test::SameFloat(value, static_cast<float>(expected))) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "it is " << value << ", expected " << expected;
}

/// Scales of blocks for tests.
struct OwnedScales {
  std::vector<float> inverse, factor, limit;
  explicit OwnedScales(int64_t blocks, float largest)
      : inverse(static_cast<size_t>(blocks), 1), factor(inverse), limit(inverse.size(), largest) {}
  loops::BlockScales pointers() const { return {inverse.data(), factor.data(), limit.data()}; }
};

TEST(RoundLoopsTest, GoesToTheNearestNumber) {
  for (const FormatCase& format : kFormatCases) {
    const FormatNumbers numbers(format.kind);
    std::vector<float> x = FloatsAround(numbers);
    for (const float any : test::AwkwardFloats(5000, {.seed = 8}, true)) x.push_back(any);
    const auto n = static_cast<int64_t>(x.size());
    const OwnedScales scales(1, format.grid.largest);
    test::ForEachIsa([&](Isa) {
      std::vector<BFloat16> out(x.size());
      loops::RoundBlocks(format.grid, n, n, x.data(), scales.pointers(), nullptr, out.data());
      for (size_t i = 0; i < x.size(); ++i) ASSERT_TRUE(IsNumber(out[i], numbers.Nearest(x[i]))) << x[i];
    });
  }
}

TEST(RoundLoopsTest, RandomNumbersDecideAboutTheFraction) {
  for (const FormatCase& format : kFormatCases) {
    const FormatNumbers numbers(format.kind);
    std::vector<float> x = FloatsAround(numbers);
    for (const float any : test::AwkwardFloats(5000, {.seed = 9}, true)) x.push_back(any);
    std::vector<uint16_t> random = RandomNumbers(x.size(), 1);
    for (size_t i = 0; i < x.size(); i += 3) random[i] = i % 2 == 0 ? 0 : 0xffff;  // The extremes, too.
    const auto n = static_cast<int64_t>(x.size());
    const OwnedScales scales(1, format.grid.largest);
    test::ForEachIsa([&](Isa) {
      std::vector<BFloat16> out(x.size());
      loops::RoundBlocks(format.grid, n, n, x.data(), scales.pointers(), random.data(), out.data());
      for (size_t i = 0; i < x.size(); ++i) {
        ASSERT_TRUE(IsNumber(out[i], numbers.Stochastic(x[i], random[i]))) << x[i] << " with " << random[i];
      }
    });
  }
}

TEST(RoundLoopsTest, EveryNumberOfSixteenBits) {
  std::vector<BFloat16> x;
  for (uint32_t bits = 0; bits < 1 << 16; ++bits) x.push_back(BFloat16::FromBits(static_cast<uint16_t>(bits)));
  const auto n = static_cast<int64_t>(x.size());
  const std::vector<uint16_t> random = RandomNumbers(x.size(), 2);
  for (const FormatCase& format : kFormatCases) {
    const FormatNumbers numbers(format.kind);
    const OwnedScales scales(1, format.grid.largest);
    test::ForEachIsa([&](Isa) {
      std::vector<BFloat16> nearest(x.size()), stochastic(x.size());
      loops::RoundBlocks(format.grid, n, n, x.data(), scales.pointers(), nullptr, nearest.data());
      loops::RoundBlocks(format.grid, n, n, x.data(), scales.pointers(), random.data(), stochastic.data());
      for (size_t i = 0; i < x.size(); ++i) {
        const auto value = static_cast<float>(x[i]);
        ASSERT_TRUE(IsNumber(nearest[i], numbers.Nearest(value))) << value;
        ASSERT_TRUE(IsNumber(stochastic[i], numbers.Stochastic(value, random[i]))) << value;
      }
    });
  }
}

TEST(RoundLoopsTest, EachBlockHasItsScales) {
  const FormatNumbers numbers(Kind::kE4M3);
  for (const int64_t block : {1, 3, 16, 17, 40}) {
    for (const int64_t n : {1, 15, 16, 33, 100}) {
      const int64_t blocks = (n + block - 1) / block;
      OwnedScales scales(blocks, 448);
      for (int64_t b = 0; b < blocks; ++b) {
        scales.inverse[static_cast<size_t>(b)] = std::ldexp(1.0f, static_cast<int>(b % 5) - 2);
        scales.factor[static_cast<size_t>(b)] = std::ldexp(1.0f, static_cast<int>(b % 7) - 3);
        scales.limit[static_cast<size_t>(b)] = b % 2 == 0 ? 448.0f : 240.0f;
      }
      const auto x = test::AwkwardFloats(n, {.seed = 4, .stream = static_cast<uint32_t>(n)}, true);
      const std::vector<uint16_t> random = RandomNumbers(x.size(), 3);
      test::ForEachIsa([&](Isa) {
        for (const uint16_t* const draws : {static_cast<const uint16_t*>(nullptr), random.data()}) {
          const BFloat16 guard(7);
          std::vector<BFloat16> out(x.size() + 1, guard);
          loops::RoundBlocks(loops::kE4M3Grid, n, block, x.data(), scales.pointers(), draws, out.data());
          for (size_t i = 0; i < x.size(); ++i) {
            const size_t b = i / static_cast<size_t>(block);
            double scaled = static_cast<double>(x[i]) * scales.inverse[b];
            if (std::isfinite(x[i])) scaled = std::clamp<double>(scaled, -scales.limit[b], scales.limit[b]);
            const double rounded = draws == nullptr ? numbers.Nearest(scaled) : numbers.Stochastic(scaled, draws[i]);
            ASSERT_TRUE(IsNumber(out[i], rounded * scales.factor[b])) << i << " of " << n;
          }
          ASSERT_EQ(out.back().bits(), guard.bits());
        }
      });
    }
  }
}

TEST(RoundLoopsTest, BF16RoundsUpWithTheLargestRandomNumbers) {
  std::vector<float> x;
  for (uint32_t upper = 0; upper < 1 << 16; upper += 7) {
    for (const uint32_t lower : {0u, 1u, 0x8000u, 0xffffu}) x.push_back(std::bit_cast<float>(upper << 16 | lower));
  }
  x.push_back(std::bit_cast<float>(0x7f800001u));  // A signalling NaN, whose upper half is an infinity.
  x.push_back(std::bit_cast<float>(0xffffffffu));
  const std::vector<uint16_t> random = RandomNumbers(x.size(), 4);
  const auto n = static_cast<int64_t>(x.size());
  test::ForEachIsa([&](Isa) {
    std::vector<BFloat16> out(x.size());
    loops::RoundToBF16(n, x.data(), random.data(), out.data());
    for (size_t i = 0; i < x.size(); ++i) {
      const uint32_t bits = std::bit_cast<uint32_t>(x[i]);
      if (std::isnan(x[i])) {
        ASSERT_TRUE(std::isnan(static_cast<float>(out[i]))) << i;
        continue;
      }
      const bool up = random[i] + (bits & 0xffff) > 0xffff;
      ASSERT_EQ(out[i].bits(), (bits >> 16) + (up ? 1 : 0)) << x[i];
    }
  });
}

TEST(RoundLoopsTest, MaximaOfBlocks) {
  for (const int64_t block : {1, 2, 16, 19, 64}) {
    for (int64_t n = 0; n <= 70; ++n) {
      const auto x = test::AwkwardFloats(n, {.seed = 6, .stream = static_cast<uint32_t>(n)}, n % 2 == 0);
      const auto halves = test::AwkwardHalves(n, {.seed = 7, .stream = static_cast<uint32_t>(n)}, n % 2 == 0);
      const auto blocks = static_cast<size_t>((n + block - 1) / block);
      const auto expect = [&](const auto& values, const std::vector<uint32_t>& actual) {
        std::vector<uint32_t> expected(blocks, 0);
        for (size_t i = 0; i < values.size(); ++i) {
          uint32_t& largest = expected[i / static_cast<size_t>(block)];
          // Not through a conversion, which would make a NaN quiet.
          uint32_t bits = 0;
          if constexpr (sizeof(values[i]) == 2) {
            bits = uint32_t{values[i].bits()} << 16;
          } else {
            bits = std::bit_cast<uint32_t>(values[i]);
          }
          largest = std::max(largest, bits & 0x7fffffffu);
        }
        ASSERT_EQ(actual, expected) << n << " in blocks of " << block;
      };
      test::ForEachIsa([&](Isa) {
        std::vector<uint32_t> of_floats(blocks, 1), of_halves(blocks, 1);
        loops::MaxMagnitudes(n, block, x.data(), of_floats.data());
        loops::MaxMagnitudes(n, block, halves.data(), of_halves.data());
        expect(x, of_floats);
        expect(halves, of_halves);
      });
    }
  }
}

TEST(RoundLoopsTest, BlockScalesOfNvfp4AreTheNearestOfE4M3) {
  const FormatNumbers scales(Kind::kE4M3);
  std::vector<float> magnitudes = {0};
  for (const float x : FloatsAround(scales)) {
    if (std::abs(x) <= 1e30f) magnitudes.push_back(std::abs(x) * 3);
  }
  const auto n = static_cast<int64_t>(magnitudes.size());
  for (const float tensor_scale : {0.5f, 0x1p-110f, 0.0123f, 700.0f}) {
    test::ForEachIsa([&](Isa) {
      std::vector<float> factor(magnitudes.size()), inverse(magnitudes.size());
      loops::Nvfp4Scales(n, tensor_scale, magnitudes.data(), factor.data(), inverse.data());
      for (size_t b = 0; b < magnitudes.size(); ++b) {
        const float wanted = magnitudes[b] / 6.0f / tensor_scale;
        const double nearest = magnitudes[b] == 0 ? 1 : std::max(scales.Nearest(std::min(wanted, 448.0f)), 0x1p-9);
        ASSERT_EQ(factor[b], nearest) << magnitudes[b] << ", " << tensor_scale;
        ASSERT_EQ(inverse[b], 1 / (static_cast<float>(nearest) * tensor_scale)) << magnitudes[b];
      }
    });
  }
}

}  // namespace
}  // namespace twofour::kernels
