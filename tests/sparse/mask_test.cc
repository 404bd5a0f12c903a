#include "twofour/sparse/mask.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "twofour/core/error.h"

#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::ExpectBitEqual;
using test::RandomF32;
using test::ScopedNumThreads;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr MaskMethod kAlgorithms[] = {MaskMethod::kExact, MaskMethod::kGreedy};

/// A bool tensor [4, 4] of ones and zeros.
Tensor Bits(const std::vector<bool>& bits) { return Tensor::FromVector(bits, {4, 4}); }

TEST(MaskTest, KeepsNothingAtFirst) {
  const Mask mask(8, 12);
  EXPECT_EQ(mask.rows(), 8);
  EXPECT_EQ(mask.cols(), 12);
  EXPECT_EQ(mask.tile_rows(), 2);
  EXPECT_EQ(mask.tile_cols(), 3);
  EXPECT_FALSE(mask.empty());
  EXPECT_EQ(mask.CountKept(), 0);
  EXPECT_TRUE(Mask().empty());
  EXPECT_TRUE(Mask(0, 4).empty());
}

TEST(MaskTest, SizesMustNotBeNegative) {
  EXPECT_THAT([] { Mask(-4, 4); }, ThrowsMessage<Error>(HasSubstr("[-4, 4]")));
  EXPECT_THAT([] { Mask(4, -4); }, ThrowsMessage<Error>(HasSubstr("[4, -4]")));
}

TEST(MaskTest, SizesWhoseProductOverflowsAreErrors) {
  constexpr int64_t kHuge = int64_t{1} << 62;
  EXPECT_THAT([] { Mask(kHuge, kHuge); }, ThrowsMessage<Error>(HasSubstr("more than 2^48 elements")));
  EXPECT_THAT([] { Mask(kHuge, 4); }, ThrowsMessage<Error>(HasSubstr("more than 2^48 elements")));
  EXPECT_THAT([] { Mask(0, kHuge); }, ThrowsMessage<Error>(HasSubstr("more than 2^48 elements")));
  EXPECT_THAT([] { Mask(INT64_MAX, 1); }, ThrowsMessage<Error>(HasSubstr("more than 2^48 elements")));
}

TEST(MaskTest, TileAndEntryAddressesAgree) {
  Mask mask(8, 12);
  mask.tiles()[1 * 3 + 2] = static_cast<TileMask>(1u << (4 * 3 + 1));  // Row 3, column 1 of tile [1, 2].
  for (int64_t row = 0; row < 8; ++row) {
    for (int64_t col = 0; col < 12; ++col) EXPECT_EQ(mask.Keeps(row, col), row == 7 && col == 9);
  }
  EXPECT_EQ(CountKept(mask.tile(1, 2)), 1);
  EXPECT_EQ(mask.CountKept(), 1);
}

TEST(MaskTest, RoundTripThroughATensor) {
  for (const Shape& shape : {Shape{4, 4}, Shape{8, 20}, Shape{0, 4}, Shape{4, 0}, Shape{0, 0}}) {
    for (MaskMethod algorithm : kAlgorithms) {
      const Mask mask = FindMask(RandomF32(shape, {.seed = 7}), algorithm);
      const Tensor kept = mask.ToTensor();
      EXPECT_EQ(kept.dtype(), DType::kBool);
      EXPECT_EQ(kept.shape(), shape);
      EXPECT_EQ(Mask::FromTensor(kept), mask) << ToString(shape);
    }
  }
}

TEST(MaskTest, FromTensorTakesFewerThanTwo) {
  const Mask mask = Mask::FromTensor(Bits({1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}));
  EXPECT_EQ(mask.CountKept(), 2);
  EXPECT_TRUE(mask.Keeps(0, 0));
  EXPECT_TRUE(mask.Keeps(3, 3));
}

TEST(MaskTest, FromTensorRefusesWhatIsNoMask) {
  EXPECT_THROW(Mask::FromTensor(Tensor()), Error);
  EXPECT_THROW(Mask::FromTensor(Tensor::Zeros({4, 4})), Error);
  EXPECT_THROW(Mask::FromTensor(Tensor::Zeros({16}, DType::kBool)), Error);
}

TEST(MaskTest, FindsTheFirstTileAboveTwoOfFour) {
  Tensor kept = Tensor::Zeros({8, 12}, DType::kBool);
  EXPECT_EQ(Mask::FromTensor(kept).FirstTileAboveTwoOfFour(), std::nullopt);
  bool* entries = kept.mutable_data<bool>();
  entries[5 * 12 + 4] = entries[6 * 12 + 4] = true;
  EXPECT_EQ(Mask::FromTensor(kept).FirstTileAboveTwoOfFour(), std::nullopt);
  entries[7 * 12 + 4] = true;
  entries[7 * 12 + 8] = entries[7 * 12 + 9] = entries[7 * 12 + 11] = true;
  EXPECT_EQ(Mask::FromTensor(kept).FirstTileAboveTwoOfFour(), std::pair(int64_t{1}, int64_t{1}));
}

TEST(MaskTest, ShowsItsFormat) {
  const Tensor weight = RandomF32({8, 12}, {.seed = 11});
  Mask mask = FindMask(weight, MaskMethod::kGreedy);
  EXPECT_EQ(mask.format(), MaskFormat::TwoOfFour());
  EXPECT_EQ(Mask(8, 12).format(), MaskFormat::TwoOfFour());
  mask.tiles()[4] = 0x0007;
  EXPECT_EQ(mask.format(), MaskFormat::Unstructured());
  std::fill_n(mask.tiles(), 6, TileMask{0xffff});
  EXPECT_EQ(mask.format(), MaskFormat::Dense());
}

TEST(ApplyMaskTest, ZeroesWhatIsNotKept) {
  const Tensor weight = RandomF32({8, 8}, {.seed = 14}, 1.0, 2.0);
  const Mask mask = FindMask(weight, MaskMethod::kGreedy);
  const Tensor masked = ApplyMask(weight, mask);
  for (int64_t i = 0; i < 64; ++i) {
    EXPECT_EQ(masked.data<float>()[i], mask.Keeps(i / 8, i % 8) ? weight.data<float>()[i] : 0.0f);
  }
  Tensor in_place = weight.Clone();
  ApplyMaskInPlace(mask, in_place);
  ExpectBitEqual(in_place, masked);
  EXPECT_THAT(
      [&] {
        ApplyMask(Tensor::Zeros({8, 4}), mask);
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("[8, 4]"), HasSubstr("[8, 8]"))));
}

TEST(ApplyMaskTest, AppliedTwiceIsAppliedOnce) {
  const Tensor masked = [] {
    const Tensor weight = RandomF32({16, 16}, {.seed = 15});
    return ApplyMask(weight, FindMask(weight, MaskMethod::kExact));
  }();
  ExpectBitEqual(ApplyMask(masked, FindMask(masked, MaskMethod::kExact)), masked);
}

TEST(ApplyMaskTest, ThreadsDoNotMatter) {
  const Tensor weight = RandomF32({1024, 68}, {.seed = 18});
  const Mask mask = FindMask(weight, MaskMethod::kGreedy);
  for (int threads : {1, 2, 3}) {
    const ScopedNumThreads some(threads);
    const Tensor masked = ApplyMask(weight, mask);
    for (int64_t i = 0; i < weight.numel(); ++i) {
      ASSERT_EQ(masked.data<float>()[i], mask.Keeps(i / 68, i % 68) ? weight.data<float>()[i] : 0.0f) << i;
    }
  }
}

TEST(AddDroppedTest, AddsToWhatTheMaskDropsAlone) {
  const Tensor weight = RandomF32({8, 12}, {.seed = 22}), start = RandomF32({8, 12}, {.seed = 23});
  const Mask mask = FindMask(weight, MaskMethod::kGreedy);
  Tensor sum = start.Clone();
  const uint64_t version = sum.version();
  AddDropped(0.25, weight, mask, sum);  // A power of two, so only the sum is rounded.
  EXPECT_GT(sum.version(), version);    // Autograd notices the write.
  for (int64_t i = 0; i < 96; ++i) {
    const double decay = mask.Keeps(i / 12, i % 12) ? 0.0 : 0.25 * double{weight.data<float>()[i]};
    EXPECT_EQ(sum.data<float>()[i], static_cast<float>(double{start.data<float>()[i]} + decay)) << i;
  }
}

TEST(AddDroppedTest, TakesTheWeightItself) {
  const Tensor weight = RandomF32({8, 8}, {.seed = 24});
  const Mask mask = FindMask(weight, MaskMethod::kExact);
  Tensor decayed = weight.Clone();
  AddDropped(-1, decayed, mask, decayed);
  ExpectBitEqual(decayed, ApplyMask(weight, mask));
}

TEST(AddDroppedTest, ThreadsDoNotMatter) {
  const Tensor weight = RandomF32({1024, 68}, {.seed = 25});
  const Mask mask = FindMask(weight, MaskMethod::kExact);
  Tensor expected = weight.Clone();
  {
    const ScopedNumThreads one(1);
    AddDropped(0.3, weight, mask, expected);
  }
  for (int threads : {2, 3}) {
    const ScopedNumThreads more(threads);
    Tensor sum = weight.Clone();
    AddDropped(0.3, weight, mask, sum);
    ExpectBitEqual(sum, expected);
  }
}

TEST(AddDroppedTest, RefusesOtherShapes) {
  const Mask mask(8, 4);
  Tensor fits = Tensor::Zeros({8, 4}), other = Tensor::Zeros({4, 8});
  EXPECT_THAT([&] { AddDropped(1, other, mask, fits); },
              ThrowsMessage<Error>(AllOf(HasSubstr("AddDropped: a weight of shape [4, 8]"), HasSubstr("[8, 4]"))));
  EXPECT_THAT([&] { AddDropped(1, fits, mask, other); },
              ThrowsMessage<Error>(AllOf(HasSubstr("AddDropped: a sum of shape [4, 8]"), HasSubstr("[8, 4]"))));
}

TEST(RetainedL1Test, ThreadsDoNotMatter) {
  const Tensor weight = RandomF32({1024, 68}, {.seed = 19});
  const Mask mask = FindMask(weight, MaskMethod::kExact);
  double kept = 0, all = 0;
  for (int64_t i = 0; i < weight.numel(); ++i) {
    const double magnitude = std::fabs(static_cast<double>(weight.data<float>()[i]));
    all += magnitude;
    kept += mask.Keeps(i / 68, i % 68) ? magnitude : 0.0;
  }
  const ScopedNumThreads one(1);
  const double expected = RetainedL1(weight, mask);
  EXPECT_NEAR(expected, kept / all, 1e-12);
  for (int threads : {2, 3}) {
    const ScopedNumThreads more(threads);
    EXPECT_EQ(RetainedL1(weight, mask), expected) << threads;
  }
}

TEST(RetainedL1Test, HandValues) {
  Mask mask(4, 4);
  mask.tiles()[0] = 0b0000'0000'0000'0011;  // Row 0, columns 0 and 1.
  Tensor weight = Tensor::Zeros({4, 4});
  weight.mutable_data<float>()[0] = -3;
  weight.mutable_data<float>()[1] = 1;
  weight.mutable_data<float>()[7] = -4;
  EXPECT_DOUBLE_EQ(RetainedL1(weight, mask), 0.5);
  EXPECT_DOUBLE_EQ(RetainedL1(weight, Mask(4, 4)), 0.0);
  EXPECT_DOUBLE_EQ(RetainedL1(Tensor::Zeros({4, 4}), mask), 1.0);
  EXPECT_DOUBLE_EQ(RetainedL1(Tensor::Zeros({0, 4}), Mask(0, 4)), 1.0);
  EXPECT_THROW(RetainedL1(Tensor::Zeros({4, 8}), mask), Error);
}

TEST(FlipRateTest, HandValues) {
  Mask before(4, 8), after(4, 8);
  EXPECT_EQ(FlipRate(before, after), 0.0);
  before.tiles()[0] = 0b0011;
  after.tiles()[0] = 0b0110;  // One entry is dropped, one is added.
  after.tiles()[1] = 0b1000;
  EXPECT_DOUBLE_EQ(FlipRate(before, after), 3.0 / 32);
  EXPECT_DOUBLE_EQ(FlipRate(after, before), 3.0 / 32);
  EXPECT_EQ(FlipRate(Mask(0, 4), Mask(0, 4)), 0.0);
  EXPECT_THAT([&] { FlipRate(before, Mask(8, 4)); },
              ThrowsMessage<Error>(AllOf(HasSubstr("[4, 8]"), HasSubstr("[8, 4]"))));
}

TEST(FlipRateTest, CountsOfManyTiles) {
  const Mask before = FindMask(RandomF32({1024, 1028}, {.seed = 20}), MaskMethod::kGreedy);
  const Mask after = FindMask(RandomF32({1024, 1028}, {.seed = 21}), MaskMethod::kGreedy);
  int64_t flips = 0, kept = 0;
  for (int64_t row = 0; row < 1024; ++row) {
    for (int64_t col = 0; col < 1028; ++col) {
      flips += before.Keeps(row, col) != after.Keeps(row, col);
      kept += before.Keeps(row, col);
    }
  }
  EXPECT_EQ(FlipRate(before, after), static_cast<double>(flips) / (1024 * 1028));
  EXPECT_EQ(before.CountKept(), kept);
}

TEST(MaskTest, EntriesAndTilesOutsideAreErrors) {
  const Mask mask(8, 4);
  EXPECT_FALSE(mask.Keeps(7, 3));
  EXPECT_EQ(mask.tile(1, 0), 0);
  for (const auto& at : {std::pair(8, 0), std::pair(0, 4), std::pair(-1, 0), std::pair(0, -1)}) {
    EXPECT_THAT([&] { mask.Keeps(at.first, at.second); },
                ThrowsMessage<Error>(AllOf(HasSubstr("entry ["), HasSubstr("[8, 4]"))));
  }
  for (const auto& at : {std::pair(2, 0), std::pair(0, 1), std::pair(-1, 0), std::pair(0, -1)}) {
    EXPECT_THAT([&] { mask.tile(at.first, at.second); }, ThrowsMessage<Error>(HasSubstr("tile [")));
    EXPECT_THAT([&] { mask.WholeTile(at.first, at.second); }, ThrowsMessage<Error>(HasSubstr("tile [")));
  }
  for (const int64_t row : {-1, 2}) {
    EXPECT_THAT([&] { Mask(8, 5).TrimTileRow(row); }, ThrowsMessage<Error>(HasSubstr("tile [")));
  }
  EXPECT_THROW(Mask().Keeps(0, 0), Error);
}

}  // namespace
}  // namespace twofour::sparse
