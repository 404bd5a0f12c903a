#include "twofour/sparse/kernels/pair_bucket/pair_bucket_stream.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "twofour/sparse/mask.h"

#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::RandomF32;
using test::ScopedNumThreads;

/// The number of steps in a stream.
int64_t CountSteps(const PairBucketStream& stream) {
  return stream.buckets(stream.blocks() - 1)[stream.strips()].begin;
}

void ExpectSameBits(const PairBucketStream& actual, const PairBucketStream& expected) {
  ASSERT_EQ(actual.bytes(), expected.bytes());
  const int64_t entries = expected.blocks() * expected.strips() + 1;
  EXPECT_EQ(std::memcmp(actual.buckets(0), expected.buckets(0), entries * sizeof(PairBucketStream::Buckets)), 0);
  const int64_t steps = CountSteps(expected);
  EXPECT_EQ(std::memcmp(actual.steps().weights, expected.steps().weights, steps * sizeof(float[4])), 0);
  EXPECT_EQ(std::memcmp(actual.steps().offsets, expected.steps().offsets, steps * sizeof(uint16_t[2])), 0);
}

/// The dense matrix that a stream holds.
Tensor Unpack(const PairBucketStream& stream) {
  Tensor dense = Tensor::Zeros({stream.rows(), stream.cols()});
  float* out = dense.mutable_data<float>();
  const int64_t column_bytes = stream.tiling().panel * static_cast<int64_t>(sizeof(float));
  for (int64_t block = 0; block < stream.blocks(); ++block) {
    for (int64_t strip = 0; strip < stream.strips(); ++strip) {
      const PairBucketStream::Buckets* const b = stream.buckets(block) + strip;
      const int64_t ends[] = {b->begin + b->count[0], b->begin + b->count[0] + b->count[1], b[1].begin};
      for (int64_t step = b->begin, pairing = 0; step < b[1].begin; ++step) {
        while (step >= ends[pairing]) ++pairing;
        for (int i = 0; i < 4; ++i) {
          const int64_t col = block * stream.tiling().block_cols + stream.steps().offsets[step][i / 2] / column_bytes;
          out[(strip * 4 + kPairingRows[pairing][i]) * stream.cols() + col] += stream.steps().weights[step][i];
        }
      }
    }
  }
  return dense;
}

TEST(PairBucketStreamTest, HoldsTheMaskedWeightOrItsTransposeOnEveryInstructionSet) {
  for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{4, 4}, {8, 20}, {64, 260}, {260, 64}, {100, 132}}) {
    const Tensor weight = RandomF32({rows, cols}, {.seed = 1, .stream = static_cast<uint32_t>(rows)});
    for (MaskMethod algorithm : {MaskMethod::kExact, MaskMethod::kGreedy}) {
      const Mask mask = FindMask(weight, algorithm);
      const Tensor masked = ApplyMask(weight, mask);
      for (Direction direction : {Direction::kForward, Direction::kInputGrad}) {
        for (const PairBucketTiling& tiling : {PairBucketTiling{24, 256}, {64, 128}, {12, 16}}) {
          const PairBucketStream reference(weight.data<float>(), mask.view(), direction, tiling, Isa::kAny);
          const Tensor dense = Unpack(reference);
          for (int64_t r = 0; r < rows; ++r) {
            for (int64_t c = 0; c < cols; ++c) {
              const int64_t at = direction == Direction::kForward ? r * cols + c : c * rows + r;
              ASSERT_EQ(dense.data<float>()[at], masked.data<float>()[r * cols + c]) << r << ", " << c;
            }
          }
          for (const Isa isa : AllowedIsas()) {
            SCOPED_TRACE(NameOf(isa));
            ExpectSameBits(PairBucketStream(weight.data<float>(), mask.view(), direction, tiling, isa), reference);
          }
        }
      }
    }
  }
}

TEST(PairBucketStreamTest, TakesAnyMaskOfAtMostTwoInALine) {
  const Tensor weight = RandomF32({16, 16}, {.seed = 2});
  Mask mask(16, 16);
  mask.tiles()[1] = 0b1000'0000'0100'0001;
  mask.tiles()[7] = 0b0000'0000'0011'0011;
  mask.tiles()[12] = 0x1;
  const Tensor masked = ApplyMask(weight, mask);
  for (const Isa isa : AllowedIsas()) {
    const PairBucketStream stream(weight.data<float>(), mask.view(), Direction::kForward, {24, 8}, isa);
    test::ExpectBitEqual(Unpack(stream), masked);
  }
}

TEST(PairBucketStreamTest, ThreadsDoNotMatter) {
  const Tensor weight = RandomF32({256, 512}, {.seed = 3});
  const Mask mask = FindMask(weight, MaskMethod::kGreedy);
  for (Direction direction : {Direction::kForward, Direction::kInputGrad}) {
    const ScopedNumThreads one(1);
    const PairBucketStream expected(weight.data<float>(), mask.view(), direction, {24, 256}, Isa::kAny);
    for (int threads : {2, 3}) {
      const ScopedNumThreads more(threads);
      ExpectSameBits(PairBucketStream(weight.data<float>(), mask.view(), direction, {24, 256}, BestIsa()), expected);
    }
  }
}

TEST(PairBucketStreamTest, BothOrientationsTakeAQuarterMoreThanTheDenseWeight) {
  const Tensor weight = RandomF32({256, 512}, {.seed = 4});
  const Mask mask = FindMask(weight, MaskMethod::kExact);
  size_t bytes = 0;
  for (Direction direction : {Direction::kForward, Direction::kInputGrad}) {
    bytes += PairBucketStream(weight.data<float>(), mask.view(), direction, {64, 128}, Isa::kAny).bytes();
  }
  EXPECT_LT(static_cast<double>(bytes), 1.27 * 256 * 512 * sizeof(float));
}

}  // namespace
}  // namespace twofour::sparse
