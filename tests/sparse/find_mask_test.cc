#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "twofour/core/error.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/pattern.h"

#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::RandomF32;
using test::ScopedNumThreads;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Property;
using ::testing::Throws;
using ::testing::ThrowsMessage;

constexpr MaskMethod kSearched[] = {MaskMethod::kExact, MaskMethod::kGreedy};

Tensor Negated(const Tensor& weight) {
  Tensor negated = weight.Clone();
  float* w = negated.mutable_data<float>();
  for (int64_t i = 0; i < negated.numel(); ++i) w[i] = -w[i];
  return negated;
}

TEST(FindMaskTest, EachTileIsSearchedAlone) {
  const Tensor weight = RandomF32({12, 16}, {.seed = 8});
  for (MaskMethod algorithm : kSearched) {
    const Mask mask = FindMask(weight, algorithm);
    for (int64_t tile_row = 0; tile_row < 3; ++tile_row) {
      for (int64_t tile_col = 0; tile_col < 4; ++tile_col) {
        TileMagnitudes tile;
        for (int64_t entry = 0; entry < 16; ++entry) {
          const int64_t row = 4 * tile_row + entry / 4, col = 4 * tile_col + entry % 4;
          tile[entry] = std::fabs(weight.data<float>()[row * 16 + col]);
        }
        EXPECT_EQ(mask.tile(tile_row, tile_col),
                  algorithm == MaskMethod::kExact ? ExactTileMask(tile) : GreedyTileMask(tile));
      }
    }
  }
}

TEST(FindMaskTest, SignsDoNotMatter) {
  const Tensor weight = RandomF32({16, 16}, {.seed = 9});
  Tensor zeros = Tensor::Zeros({4, 8});
  for (MaskMethod algorithm : kSearched) {
    EXPECT_EQ(FindMask(weight, algorithm), FindMask(Negated(weight), algorithm));
    EXPECT_EQ(FindMask(zeros, algorithm), FindMask(Negated(zeros), algorithm));
  }
}

TEST(FindMaskTest, MinusZeroCountsAsZero) {
  // Entries of random signs among zeros of random signs.
  Tensor weight = RandomF32({64, 64}, {.seed = 10});
  Tensor with_plus_zeros = weight.Clone();
  float* w = weight.mutable_data<float>();
  float* plus = with_plus_zeros.mutable_data<float>();
  for (int64_t i = 0; i < weight.numel(); ++i) {
    if (std::fabs(w[i]) > 0.4f) continue;
    w[i] = std::copysign(0.0f, w[i]);
    plus[i] = 0.0f;
  }
  for (MaskMethod algorithm : kSearched) {
    EXPECT_EQ(FindMask(weight, algorithm), FindMask(with_plus_zeros, algorithm));
  }
}

TEST(FindMaskTest, ThreadsDoNotMatter) {
  const Tensor weight = RandomF32({1024, 64}, {.seed = 11});
  for (MaskMethod algorithm : kSearched) {
    const ScopedNumThreads one(1);
    const Mask expected = FindMask(weight, algorithm);
    for (int threads : {2, 3}) {
      const ScopedNumThreads more(threads);
      EXPECT_EQ(FindMask(weight, algorithm), expected) << threads;
    }
  }
}

TEST(FindMaskTest, MasksAreTwoFourInBothDirections) {
  const Tensor weight = RandomF32({32, 48}, {.seed = 12});
  for (MaskMethod algorithm : kSearched) {
    const Mask mask = FindMask(weight, algorithm);
    EXPECT_EQ(FindPatternViolation(ApplyMask(weight, mask), PatternAxis::kBoth), std::nullopt);
    if (algorithm == MaskMethod::kExact) {
      EXPECT_EQ(mask.CountKept(), 32 * 48 / 2);
    }
  }
}

TEST(FindMaskTest, NonFiniteWeightsAreNamed) {
  Tensor weight = RandomF32({8, 12}, {.seed = 13});
  weight.mutable_data<float>()[5 * 12 + 7] = std::numeric_limits<float>::quiet_NaN();
  weight.mutable_data<float>()[6 * 12 + 1] = std::numeric_limits<float>::infinity();
  EXPECT_THAT([&] { FindMask(weight, MaskMethod::kExact, "blocks.0.c_fc.weight"); },
              Throws<Error>(AllOf(Property(&Error::kind, ErrorKind::kRuntimeFailure),
                                  Property(&Error::what, AllOf(HasSubstr("blocks.0.c_fc.weight"), HasSubstr("[5, 7]"),
                                                               HasSubstr("nan"))))));
  weight.mutable_data<float>()[5 * 12 + 7] = 0;
  EXPECT_THAT(
      [&] { FindMask(weight, MaskMethod::kGreedy); },
      Throws<Error>(Property(&Error::what, AllOf(HasSubstr("weight: "), HasSubstr("[6, 1]"), HasSubstr("inf")))));
}

TEST(FindMaskTest, TheFirstOfManyNonFiniteWeightsIsNamed) {
  for (int threads : {1, 3}) {
    const ScopedNumThreads some(threads);
    Tensor weight = RandomF32({1024, 64}, {.seed = 16});
    float* w = weight.mutable_data<float>();
    w[1021 * 64 + 3] = std::numeric_limits<float>::quiet_NaN();
    w[514 * 64 + 0] = -std::numeric_limits<float>::infinity();
    w[513 * 64 + 63] = std::numeric_limits<float>::infinity();
    for (MaskMethod algorithm : kSearched) {
      EXPECT_THAT([&] { FindMask(weight, algorithm, "w"); },
                  ThrowsMessage<Error>("w: element [513, 63] is inf, a mask needs finite values"));
    }
  }
}

TEST(FindMaskTest, ANonFiniteWeightIsSeenAnywhere) {
  const Tensor weight = RandomF32({8, 20}, {.seed = 17});
  for (int64_t at = 0; at < weight.numel(); ++at) {
    Tensor broken = weight.Clone();
    broken.mutable_data<float>()[at] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_THROW(FindMask(broken, MaskMethod::kExact), Error) << at;
    broken.mutable_data<float>()[at] = std::numeric_limits<float>::max();
    EXPECT_NO_THROW(FindMask(broken, MaskMethod::kExact)) << at;
  }
}

TEST(FindMaskTest, RefusesOtherTensors) {
  EXPECT_THROW(FindMask(Tensor(), MaskMethod::kExact), Error);
  EXPECT_THROW(FindMask(Tensor::Zeros({4, 4}, DType::kF64), MaskMethod::kExact), Error);
  EXPECT_THAT(
      [] {
        FindMask(Tensor::Zeros({4, 4, 4}), MaskMethod::kExact, "w");
      },
      ThrowsMessage<Error>(HasSubstr("w: shape [4, 4, 4]")));
  EXPECT_THROW(FindMask(Tensor::Zeros({4, 5}), MaskMethod::kExact), Error);
}

}  // namespace
}  // namespace twofour::sparse
