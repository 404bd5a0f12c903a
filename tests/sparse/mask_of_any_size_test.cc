// Masks of matrices whose sizes are no multiples of 4: their last tiles reach beyond the matrix.
#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "twofour/sparse/mask.h"

#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::ExpectBitEqual;
using test::RandomBools;
using test::RandomF32;

TEST(MaskOfAnySizeTest, AnySizeIsAsGoodAsAnyOther) {
  for (const auto& [rows, cols] : {std::pair{1, 1}, {3, 9}, {5, 4}, {4, 5}, {6, 70}, {9, 33}, {8, 12}, {7, 16}}) {
    SCOPED_TRACE(::testing::Message() << "[" << rows << ", " << cols << "]");
    const Tensor kept = RandomBools({rows, cols}, {.seed = 30}),
                 other_kept = RandomBools({rows, cols}, {.seed = 30, .stream = 1});
    const Mask mask = Mask::FromTensor(kept), other = Mask::FromTensor(other_kept);
    const Tensor weight = RandomF32({rows, cols}, {.seed = 31}), before = RandomF32({rows, cols}, {.seed = 32});
    ExpectBitEqual(mask.ToTensor(), kept);
    Tensor masked = Tensor::Zeros({rows, cols}), sum = before.Clone();
    int64_t count = 0, flips = 0;
    double kept_sum = 0, all_sum = 0;
    for (int64_t i = 0; i < weight.numel(); ++i) {
      const bool keeps = kept.data<bool>()[i];
      EXPECT_EQ(mask.Keeps(i / cols, i % cols), keeps);
      const float w = weight.data<float>()[i];
      if (keeps) masked.mutable_data<float>()[i] = w;
      if (!keeps) sum.mutable_data<float>()[i] += 0.5f * w;
      count += keeps ? 1 : 0;
      flips += keeps != other_kept.data<bool>()[i] ? 1 : 0;
      kept_sum += keeps ? std::fabs(double{w}) : 0;
      all_sum += std::fabs(double{w});
    }
    EXPECT_EQ(mask.CountKept(), count);
    EXPECT_DOUBLE_EQ(FlipRate(mask, other), static_cast<double>(flips) / static_cast<double>(rows * cols));
    EXPECT_NEAR(RetainedL1(weight, mask), kept_sum / all_sum, 1e-12);
    ExpectBitEqual(ApplyMask(weight, mask), masked);
    Tensor in_place = weight.Clone(), added = before.Clone();
    ApplyMaskInPlace(mask, in_place);
    ExpectBitEqual(in_place, masked);
    AddDropped(0.5, weight, mask, added);
    ExpectBitEqual(added, sum);
    Mask whole(rows, cols);
    for (int64_t tile = 0; tile < whole.tile_rows() * whole.tile_cols(); ++tile) {
      whole.tiles()[tile] = whole.WholeTile(tile / whole.tile_cols(), tile % whole.tile_cols());
    }
    EXPECT_EQ(whole, Mask::FromTensor(Tensor::Full({rows, cols}, 1, DType::kBool)));
    EXPECT_EQ(whole.CountKept(), rows * cols);
  }
}

}  // namespace
}  // namespace twofour::sparse
