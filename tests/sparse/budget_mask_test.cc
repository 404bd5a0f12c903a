#include "twofour/sparse/budget_mask.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/core/error.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::F32;
using ::testing::HasSubstr;

TEST(BudgetMaskTest, DropsAsManyAsItIsTold) {
  const Tensor scores = F32({5, -1, 2, 2, 3, 4, -6, 1}, {2, 4});
  for (int64_t dropped = 0; dropped <= 8; ++dropped) {
    EXPECT_EQ(FindBudgetMaskOfCount(scores, {}, dropped).CountKept(), 8 - dropped);
    EXPECT_EQ(FindBudgetMaskOfCount(scores, {}, dropped), FindBudgetMask(scores, {}, static_cast<double>(dropped) / 8));
  }
  for (int64_t dropped = 0; dropped <= 4; ++dropped) {
    EXPECT_EQ(FindRowBudgetMaskOfCount(scores, dropped).CountKept(), 8 - 2 * dropped);
    EXPECT_EQ(FindRowBudgetMaskOfCount(scores, dropped), FindRowBudgetMask(scores, static_cast<double>(dropped) / 4));
  }
  const Mask blocks = FindBudgetMaskOfCount(scores, {.rows = 1, .cols = 2}, 1);
  EXPECT_EQ(blocks.CountKept(), 6);
  EXPECT_FALSE(blocks.Keeps(0, 3));  // The mean of 2 and 2 is the least.
}

TEST(BudgetMaskTest, RefusesToDropMoreThanThereIs) {
  const Tensor scores = Tensor::Zeros({2, 4});
  EXPECT_ERROR(FindBudgetMaskOfCount(scores, {}, 9, "fc"), ErrorKind::kInvalidInput,
               HasSubstr("fc: 9 to drop, expected 0 to 8"));
  EXPECT_ERROR(FindRowBudgetMaskOfCount(scores, -1, "fc"), ErrorKind::kInvalidInput,
               HasSubstr("fc: -1 to drop, expected 0 to 4"));
}

}  // namespace
}  // namespace twofour::sparse
