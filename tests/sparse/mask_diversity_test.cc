#include "twofour/sparse/mask_diversity.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "twofour/sparse/mask_format.h"
#include "twofour/sparse/mask_view.h"
#include "twofour/sparse/tile_mask.h"
#include "twofour/sparse/vnm_pattern.h"

namespace twofour::sparse {
namespace {

TEST(MaskDiversityTest, CountsTheMasksOfABlock) {
  // All masks of 4 rows and 5 columns: 20 bits, of which 8 are kept, two in every row.
  int64_t masks = 0;
  for (uint32_t bits = 0; bits < 1u << 20; ++bits) {
    if (std::popcount(bits) != 8) continue;
    int of_column[5] = {}, columns = 0;
    bool fits = true;
    for (int row = 0; row < 4; ++row) {
      const uint32_t kept = bits >> 5 * row & 31u;
      fits = fits && std::popcount(kept) == 2;
      for (int col = 0; col < 5; ++col) of_column[col] += kept >> col & 1u;
    }
    for (const int count : of_column) {
      columns += count > 0;
      fits = fits && count <= 2;
    }
    masks += fits && columns <= 4;
  }
  EXPECT_EQ(masks, 5 * 90);
  EXPECT_NEAR(MaskDiversity({.v = 4, .m = 5}), std::log(static_cast<double>(masks)) / 20, 1e-12);
}

TEST(MaskDiversityTest, TilesOf2To4Have90Masks) { EXPECT_NEAR(TileMaskDiversity(), std::log(90.0) / 16, 1e-12); }

TEST(MaskDiversityTest, AlongRowsIsTheFormulaOfThePapers) {
  // C(8, 4) = 70 and C(4, 2) = 6. Not (70^4 and so on): a block has one choice of columns.
  EXPECT_NEAR(MaskDiversity({.v = 64, .m = 8, .inner = VnmInner::kRows}), (std::log(70.0) + 64 * std::log(6.0)) / 512,
              1e-12);
}

TEST(MaskDiversityTest, OfAWeightCountsTheRestsOfBlocks) {
  // Two blocks of 8 rows and one of 4, each beside one of 4 columns, which has nothing to choose but 2:4.
  const double choices = 3 * std::log(70.0), tiles = 2 * 5 * std::log(90.0);
  EXPECT_NEAR(MaskDiversity(MaskFormat::Vnm({.v = 8, .m = 8}), 20, 12), (choices + tiles) / (20 * 12), 1e-12);
  EXPECT_NEAR(MaskDiversity(MaskFormat::Vnm({.v = 64, .m = 16}), 128, 48), MaskDiversity({.v = 64, .m = 16}), 1e-12);
  // A block cannot be higher than the weight.
  EXPECT_EQ(MaskDiversity(MaskFormat::Vnm({.v = 256, .m = 8}), 16, 32),
            MaskDiversity(MaskFormat::Vnm({.v = 16, .m = 8}), 16, 32));
  EXPECT_EQ(MaskDiversity(MaskFormat::TwoOfFour(), 16, 32), TileMaskDiversity());
}

TEST(MaskDiversityTest, FallsWithSparsityAndWithTheSizeOfBlocks) {
  double last = 1;
  for (const int m : {5, 8, 16, 32}) {
    const double now = MaskDiversity({.v = 4, .m = m});
    EXPECT_LT(now, last);
    last = now;
  }
  EXPECT_LT(MaskDiversity({.v = 64, .m = 8}), MaskDiversity({.v = 16, .m = 8}));
}

}  // namespace
}  // namespace twofour::sparse
