#include "twofour/sparse/mask_method.h"

#include <gtest/gtest.h>

namespace twofour::sparse {
namespace {

TEST(MaskMethodTest, Names) {
  EXPECT_EQ(NameOf(MaskMethod::kExact), "exact");
  EXPECT_EQ(NameOf(MaskMethod::kGreedy), "greedy");
  EXPECT_EQ(NameOf(MaskMethod::kSignedGreedy), "signed_greedy");
  EXPECT_EQ(NameOf(MaskMethod::kRandom), "random");
  EXPECT_EQ(NameOf(MaskMethod::kRows), "rows");
}

}  // namespace
}  // namespace twofour::sparse
