#include "twofour/sparse/kernels/pair_bucket/bf16_stream.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "twofour/sparse/kernels/linear/linear_kernel.h"
#include "twofour/sparse/mask.h"

#include "tests/support/bf16_wrappers.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::NearestBf16;
using test::RandomF32;
using test::ScopedNumThreads;

/// Calls test(pack) for each kernel that packs this way, where pack(weight, mask, direction) returns a stream.
template <typename Test>
void ForAllPackers(const Test& test) {
  for (const LinearKernel& kernel : LinearKernels()) {
    if (kernel.layout != PackedLayout::kBf16PairBucket || !IsAllowed(kernel.isa)) continue;
    SCOPED_TRACE(kernel.name);
    test([&kernel](const Tensor& weight, const Mask& mask, Direction direction) {
      // Weights that are pruned must not be read.
      std::vector<float> weights = weight.ToVector();
      for (int64_t i = 0; i < weight.numel(); ++i) {
        if (!mask.Keeps(i / mask.cols(), i % mask.cols())) weights[i] = std::numeric_limits<float>::quiet_NaN();
      }
      const std::shared_ptr<const PackedWeight> packed = kernel.pack(weights.data(), mask.view(), direction);
      return std::static_pointer_cast<const Bf16PairBucketStream>(packed);
    });
  }
}

int64_t CountSteps(const Bf16PairBucketStream& stream) {
  return stream.buckets(stream.blocks() - 1)[stream.strips()].begin;
}

/// The bits of one element of a pair.
uint16_t HalfOf(uint32_t pair, int which) { return static_cast<uint16_t>(pair >> (16 * which)); }

/// The dense matrix that a stream holds, and the number of weights that are there only to fill steps.
std::pair<Tensor, int64_t> Unpack(const Bf16PairBucketStream& stream) {
  constexpr int64_t kColumnBytes = Bf16PairBucketStream::kTiling.panel * 2;
  constexpr int64_t kBlockCols = Bf16PairBucketStream::kTiling.block_cols;
  Tensor dense = Tensor::Zeros({stream.rows(), stream.cols()});
  int64_t fill = 0;
  for (int64_t block = 0; block < stream.blocks(); ++block) {
    for (int64_t strip = 0; strip < stream.strips(); ++strip) {
      const Bf16PairBucketStream::Buckets* const b = stream.buckets(block) + strip;
      const int64_t ends[] = {b->begin + b->count[0], b->begin + b->count[0] + b->count[1], b[1].begin};
      EXPECT_LE(ends[1], ends[2]);
      for (int64_t step = b->begin, pairing = 0; step < b[1].begin; ++step) {
        while (step >= ends[pairing]) ++pairing;
        for (int i = 0; i < 4; ++i) {
          for (int which = 0; which < 2; ++which) {
            const uint16_t offset = stream.steps().offsets[step][i / 2 * 2 + which];
            const uint16_t bits = HalfOf(stream.steps().weights[step][i], which);
            EXPECT_EQ(offset % kColumnBytes, 0);
            const int64_t col = block * kBlockCols + offset / kColumnBytes;
            EXPECT_LT(col, std::min((block + 1) * kBlockCols, stream.cols()));
            fill += bits == 0;
            float& to = dense.mutable_data<float>()[(strip * 4 + kPairingRows[pairing][i]) * stream.cols() + col];
            EXPECT_TRUE(to == 0 || bits == 0) << "a weight that is there twice";
            to += static_cast<float>(BFloat16::FromBits(bits));
          }
        }
      }
    }
  }
  return {dense, fill};
}

void ExpectHolds(const Bf16PairBucketStream& stream, const Tensor& weight, const Mask& mask, Direction direction) {
  const auto [dense, fill] = Unpack(stream);
  for (int64_t r = 0; r < mask.rows(); ++r) {
    for (int64_t c = 0; c < mask.cols(); ++c) {
      const int64_t at = direction == Direction::kForward ? r * mask.cols() + c : c * mask.rows() + r;
      const float kept = mask.Keeps(r, c) ? weight.data<float>()[r * mask.cols() + c] : 0.0f;
      ASSERT_EQ(dense.data<float>()[at], static_cast<float>(NearestBf16(kept))) << r << ", " << c;
    }
  }
  EXPECT_EQ(CountSteps(stream) * 8, fill + mask.CountKept());
}

TEST(Bf16PairBucketStreamTest, HoldsTheMaskedWeightRoundedOrItsTranspose) {
  ForAllPackers([](const auto& pack) {
    for (const auto& [rows, cols] :
         {std::pair<int64_t, int64_t>{4, 4}, {8, 20}, {64, 260}, {260, 64}, {100, 132}, {12, 1028}}) {
      const Tensor weight = RandomF32({rows, cols}, {.seed = 1, .stream = static_cast<uint32_t>(rows)});
      for (const MaskMethod method : {MaskMethod::kExact, MaskMethod::kGreedy}) {
        const Mask mask = FindMask(weight, method);
        for (const Direction direction : {Direction::kForward, Direction::kInputGrad}) {
          SCOPED_TRACE(::testing::Message() << NameOf(direction) << " [" << rows << ", " << cols << "]");
          ExpectHolds(*pack(weight, mask, direction), weight, mask, direction);
        }
      }
    }
  });
}

TEST(Bf16PairBucketStreamTest, TakesAnyMaskOfAtMostTwoInALine) {
  const Tensor weight = RandomF32({16, 16}, {.seed = 2});
  Mask mask(16, 16);
  ForAllPackers([&](const auto& pack) {
    EXPECT_EQ(CountSteps(*pack(weight, Mask(16, 16), Direction::kForward)), 0);
    mask.tiles()[1] = 0b1000'0000'0100'0001;
    mask.tiles()[7] = 0b0000'0000'0011'0011;
    mask.tiles()[12] = 0x1;
    for (const Direction direction : {Direction::kForward, Direction::kInputGrad}) {
      ExpectHolds(*pack(weight, mask, direction), weight, mask, direction);
    }
  });
}

TEST(Bf16PairBucketStreamTest, AStepWithoutAPartnerIsJoinedWithItsOwnColumns) {
  // A single tile has two steps. If they are of different pairings, each is alone in its bucket. Then the columns of
  // its partner must be its own, because another column might hold an infinity.
  const Tensor weight = RandomF32({4, 4}, {.seed = 3}, 1, 2);
  int64_t alone = 0;
  ForAllPackers([&](const auto& pack) {
    for (const TileMask tile : TransposableMasks()) {
      Mask mask(4, 4);
      mask.tiles()[0] = tile;
      const auto stream = pack(weight, mask, Direction::kForward);
      for (int64_t step = 0; step < CountSteps(*stream); ++step) {
        const auto& offsets = stream->steps().offsets[step];
        const auto& weights = stream->steps().weights[step];
        for (int i = 0; i < 4; ++i) {
          ASSERT_NE(HalfOf(weights[i], 0), 0);
          if (HalfOf(weights[i], 1) != 0) continue;
          ASSERT_EQ(offsets[i / 2 * 2 + 1], offsets[i / 2 * 2]);
          ++alone;
        }
      }
    }
  });
  EXPECT_GT(alone, 0);
}

void ExpectSameBits(const Bf16PairBucketStream& actual, const Bf16PairBucketStream& expected) {
  ASSERT_EQ(actual.bytes(), expected.bytes());
  const int64_t entries = expected.blocks() * expected.strips() + 1, steps = CountSteps(expected);
  EXPECT_EQ(std::memcmp(actual.buckets(0), expected.buckets(0), entries * sizeof(*expected.buckets(0))), 0);
  EXPECT_EQ(std::memcmp(actual.steps().weights, expected.steps().weights, steps * sizeof(uint32_t[4])), 0);
  EXPECT_EQ(std::memcmp(actual.steps().offsets, expected.steps().offsets, steps * sizeof(uint16_t[4])), 0);
}

TEST(Bf16PairBucketStreamTest, NeitherThreadsNorTheEmulationMatter) {
  const Tensor weight = RandomF32({256, 516}, {.seed = 4});
  const Mask mask = FindMask(weight, MaskMethod::kGreedy);
  for (const Direction direction : {Direction::kForward, Direction::kInputGrad}) {
    std::shared_ptr<const Bf16PairBucketStream> expected;
    ForAllPackers([&](const auto& pack) {
      for (const int threads : {1, 2, 3}) {
        const ScopedNumThreads scoped(threads);
        const auto stream = pack(weight, mask, direction);
        if (expected == nullptr) expected = stream;
        ExpectSameBits(*stream, *expected);
      }
    });
  }
}

TEST(Bf16PairBucketStreamTest, RoundsToNearestEvenAndDenormalNumbersToZero) {
  constexpr float kLargest = 0x1.fep127f, kInfinity = std::numeric_limits<float>::infinity();
  const std::pair<float, float> rounded[] = {
      {1 + 0x1p-8f, 1},     {1 + 0x1.8p-7f, 1 + 0x1p-6f}, {1 + 0x1.01p-8f, 1 + 0x1p-7f}, {0x1.8p-127f, 0},
      {kLargest, kLargest}, {0x1.ffp127f, kInfinity},     {0x1.fefffep127f, kLargest},   {-0x1p-126f, -0x1p-126f}};
  // Two rows of two kept columns each way: the upper left and the lower right quarter.
  const int places[] = {0, 1, 4, 5, 10, 11, 14, 15};
  Tensor weight = Tensor::Zeros({4, 4});
  Mask mask(4, 4);
  for (int i = 0; i < 8; ++i) {
    weight.mutable_data<float>()[places[i]] = rounded[i].first;
    mask.tiles()[0] = static_cast<TileMask>(mask.tiles()[0] | 1u << places[i]);
  }
  ForAllPackers([&](const auto& pack) {
    const std::shared_ptr<const Bf16PairBucketStream> stream = pack(weight, mask, Direction::kForward);
    const std::vector<float> dense = Unpack(*stream).first.ToVector();
    for (int i = 0; i < 8; ++i) EXPECT_EQ(dense[places[i]], rounded[i].second) << rounded[i].first;
  });
}

}  // namespace
}  // namespace twofour::sparse
