#include "twofour/sparse/mask_statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::RandomF32;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(StatisticsOfTest, HandMadeMask) {
  // Tile [0, 0] keeps eight, tile [0, 1] seven, tile [1, 0] all, tile [1, 1] nothing.
  Mask mask(8, 8);
  mask.tiles()[0] = 0b1010'0101'1010'0101;
  mask.tiles()[1] = 0b0010'1100'0101'0011;
  mask.tiles()[2] = 0xffff;
  const MaskStatistics statistics = StatisticsOf(RandomF32({8, 8}, {.seed = 1}), mask);
  EXPECT_DOUBLE_EQ(statistics.sparsity, 1 - (8 + 7 + 16) / 64.0);
  EXPECT_EQ(statistics.tiles_keeping_seven, 1);
  EXPECT_EQ(statistics.dead_rows, 0);
  EXPECT_EQ(statistics.dead_columns, 0);
}

TEST(StatisticsOfTest, ARowOrColumnOfWhichNothingIsKeptIsDead) {
  Mask mask(8, 8);
  mask.tiles()[0] = 0b0000'0011'0011'0000;  // Rows 1 and 2, columns 0 and 1.
  mask.tiles()[3] = 0b0001'0000'0000'0000;  // Row 7, column 4.
  const MaskStatistics statistics = StatisticsOf(RandomF32({8, 8}, {.seed = 2}), mask);
  EXPECT_EQ(statistics.dead_rows, 5);     // 0, 3, 4, 5, 6
  EXPECT_EQ(statistics.dead_columns, 5);  // 2, 3, 5, 6, 7
  EXPECT_EQ(statistics.tiles_keeping_seven, 0);
}

TEST(StatisticsOfTest, KeptZerosOfBothSignsDoNotBringARowToLife) {
  Mask mask(4, 4);
  mask.tiles()[0] = 0xffff;
  Tensor weight = RandomF32({4, 4}, {.seed = 3});
  for (int i = 0; i < 4; ++i) weight.mutable_data<float>()[4 + i] = i % 2 == 0 ? 0.0f : -0.0f;
  const MaskStatistics statistics = StatisticsOf(weight, mask);
  EXPECT_EQ(statistics.dead_rows, 1);
  EXPECT_EQ(statistics.dead_columns, 0);
  EXPECT_EQ(statistics.sparsity, 0.0);
  // One more dead column, this time because of the mask.
  mask.tiles()[0] = 0b1101'1101'1101'1101;
  EXPECT_EQ(StatisticsOf(weight, mask).dead_columns, 1);
}

TEST(StatisticsOfTest, CountsAsOneDoesByHandOnRandomMasks) {
  const Tensor weight = RandomF32({64, 128}, {.seed = 4});
  const Mask mask = FindMask(weight, MaskMethod::kGreedy);
  int64_t dropped = 0, sevens = 0;
  for (int64_t tile_row = 0; tile_row < 16; ++tile_row) {
    for (int64_t tile_col = 0; tile_col < 32; ++tile_col) {
      int64_t kept = 0;
      for (int64_t i = 0; i < 16; ++i) kept += mask.Keeps(4 * tile_row + i / 4, 4 * tile_col + i % 4);
      dropped += 16 - kept;
      sevens += kept == 7;
    }
  }
  const MaskStatistics statistics = StatisticsOf(weight, mask);
  EXPECT_GT(sevens, 10);
  EXPECT_EQ(statistics.tiles_keeping_seven, sevens);
  EXPECT_DOUBLE_EQ(statistics.sparsity, static_cast<double>(dropped) / (64 * 128));
  EXPECT_EQ(StatisticsOf(weight, FindMask(weight, MaskMethod::kExact)).tiles_keeping_seven, 0);
}

TEST(StatisticsOfTest, NothingIsDeadWhereThereIsNothing) {
  const MaskStatistics statistics = StatisticsOf(Tensor::Zeros({0, 4}), Mask(0, 4));
  EXPECT_EQ(statistics.sparsity, 0.0);
  EXPECT_EQ(statistics.dead_rows, 0);
}

TEST(StatisticsOfTest, RefusesAnotherShape) {
  EXPECT_ERROR(StatisticsOf(Tensor::Zeros({4, 8}), Mask(8, 4)), ErrorKind::kInvalidInput,
               AllOf(HasSubstr("StatisticsOf"), HasSubstr("[4, 8]"), HasSubstr("[8, 4]"), HasSubstr("expected")));
}

}  // namespace
}  // namespace twofour::sparse
