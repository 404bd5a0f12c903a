#include "twofour/sparse/mask_view.h"

#include <gtest/gtest.h>

#include "twofour/sparse/mask.h"

#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::RandomF32;

TEST(MaskViewTest, IsTheMask) {
  const Mask mask = FindMask(RandomF32({8, 12}, {.seed = 12}), MaskMethod::kExact);
  const MaskView view = mask.view();
  EXPECT_EQ(view.tile_rows(), mask.tile_rows());
  EXPECT_EQ(view.tile_cols(), mask.tile_cols());
  for (int64_t row = 0; row < 8; ++row) {
    for (int64_t col = 0; col < 12; ++col) EXPECT_EQ(view.Keeps(row, col), mask.Keeps(row, col));
  }
}

}  // namespace
}  // namespace twofour::sparse
