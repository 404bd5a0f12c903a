#include "twofour/train/program/cli/packing_advice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace twofour::train {
namespace {

using ::testing::ElementsAre;

LinearSpeedups Sparse(int64_t out_features, double one_row, double many_rows, bool is_packed = false) {
  return {.out_features = out_features,
          .in_features = 8,
          .linears = 2,
          .pattern = "2:4",
          .one_row = one_row,
          .many_rows = many_rows,
          .share_of_bytes = 0.53125,
          .is_packed = is_packed};
}

LinearSpeedups Dense(double one_row, double training) {
  LinearSpeedups dense = Sparse(64, one_row, 0.5);
  dense.training = training;
  return dense;
}

TEST(PackingAdviceTest, PacksWhatGains) {
  LinearSpeedups vnm = Sparse(4, 3, 1);
  vnm.pattern = "16:2:8";
  vnm.linears = 1;
  EXPECT_THAT(
      PackingAdvice({.rows = 256,
                     .in_run = true,
                     .sparse = {Sparse(16, 1.5, 0.8), Sparse(32, 0.9, 1.1), vnm, Sparse(48, 1.04, 0.7)}}),
      ElementsAre(
          "1 linear would gain from packed export (trainer export --format packed --pattern 16:2:8): [4, 8] "
          "3.00x with 1 row and 1.00x with 256, 0.531 of the bytes",
          "4 linears would gain from packed export (trainer export --format packed --pattern 2:4): [16, 8] 1.50x "
          "with 1 row and 0.80x with 256, 0.531 of the bytes; [32, 8] 0.90x with 1 row and 1.10x with 256, 0.531 "
          "of the bytes",
          "2 linears would gain only memory as packed 2:4: [48, 8] 1.04x with 1 row and 0.70x with 256, 0.531 of "
          "the bytes"));
}

TEST(PackingAdviceTest, OfAFileThatNoRunHasAndOfPackedWeights) {
  EXPECT_THAT(
      PackingAdvice({.rows = 2, .sparse = {Sparse(16, 2, 1), Sparse(16, 2, 1, true)}}),
      ElementsAre("2 linears would gain from packed export (trainer import, then trainer export --format packed "
                  "--pattern 2:4): [16, 8] 2.00x with 1 row and 1.00x with 2, 0.531 of the bytes",
                  "2 linears packed as 2:4 already gain: [16, 8] 2.00x with 1 row and 1.00x with 2, 0.531 of the "
                  "bytes"));
}

TEST(PackingAdviceTest, OfDenseWeights) {
  EXPECT_THAT(
      PackingAdvice({.rows = 4, .dense = {Dense(0.9, 1.3)}}),
      ElementsAre("2 linears of one shape, dense now, would gain from 2:4: [64, 8] 0.90x with 1 row and 0.50x with "
                  "4, 0.531 of the bytes, and in training 1.30x with 4 rows (2:4 both ways)"));
}

TEST(PackingAdviceTest, SaysThatNothingGains) {
  EXPECT_THAT(
      PackingAdvice({.rows = 4, .dense = {Dense(1.01, 0.9)}, .without_form = 1}),
      ElementsAre("nothing gains speed on this machine",
                  "2 linears of one shape, dense now, would gain only memory from 2:4: [64, 8] 1.01x with 1 row "
                  "and 0.50x with 4, 0.531 of the bytes, and in training 0.90x with 4 rows (2:4 both ways)",
                  "1 linear with zeros in no pattern that can be packed: products multiply the zeros, too"));
}

}  // namespace
}  // namespace twofour::train
