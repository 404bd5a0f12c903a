#include "twofour/sparse/mask_format.h"

#include <gtest/gtest.h>

namespace twofour::sparse {
namespace {

TEST(MaskFormatTest, HasWords) {
  EXPECT_EQ(MaskFormat::Dense().ToString(), "dense");
  EXPECT_EQ(MaskFormat::TwoOfFour().ToString(), "2:4 both ways");
  EXPECT_EQ(MaskFormat::Rows(1, 16).ToString(), "1:16 along rows");
  EXPECT_EQ(MaskFormat::Unstructured().ToString(), "unstructured");
  EXPECT_EQ(MaskFormat::Rows(1, 16).Ratio(), "1:16");
  EXPECT_EQ(MaskFormat::Rows(1, 16).Direction(), "along rows");
}

TEST(MaskFormatTest, TwoOfFourIsAtMostTwoBothWays) {
  EXPECT_TRUE(IsTwoOfFour(MaskFormat::TwoOfFour()));
  EXPECT_TRUE(IsTwoOfFour({MaskFormat::Kind::kTransposable, 1, 4}));
  EXPECT_FALSE(IsTwoOfFour({MaskFormat::Kind::kTransposable, 3, 4}));
  EXPECT_FALSE(IsTwoOfFour(MaskFormat::Rows(2, 4)));
  EXPECT_FALSE(IsTwoOfFour(MaskFormat::Rows(1, 4)));
  EXPECT_FALSE(IsTwoOfFour(MaskFormat::Dense()));
  EXPECT_FALSE(IsTwoOfFour(MaskFormat::Unstructured()));
}

}  // namespace
}  // namespace twofour::sparse
