#include "twofour/sparse/kernels/amx/vnm_tile_weight.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "twofour/sparse/kernels/linear/linear_kernel.h"
#include "twofour/sparse/vnm_mask.h"

#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::ExpectBitEqual;
using test::RandomF32;
using test::ScopedNumThreads;

/// Puts tiles back where their entries came from. Fails the test if parts share a tile, or if something stands where a
/// block, a slice or the weight has ended.
class Unpacker {
 public:
  Unpacker(const VnmTileWeight& weight, int64_t rows, int64_t cols)
      : weight_(weight), dense_(Tensor::Zeros({rows, cols})) {}

  Tensor Unpack() {
    for (int64_t slice = 0; slice < weight_.slices(); ++slice) {
      if (weight_.direction() == Direction::kForward) {
        for (int64_t block = 0; block < weight_.columns().row_blocks(); ++block) {
          Take(weight_.ForwardPart(slice, block), weight_.first(slice) + weight_.count(slice));
        }
        continue;
      }
      for (int64_t range = 0; range < weight_.group_ranges(); ++range) {
        for (int64_t i = 0; i < weight_.count(slice); ++i) {
          Take(weight_.InputGradPart(slice, range, i), weight_.columns().groups());
        }
      }
    }
    return dense_;
  }
  /// Of the tiles that were unpacked.
  size_t bytes() const { return seen_.size() * VnmTileWeight::kElements * sizeof(BFloat16); }

 private:
  void Take(const VnmTileWeight::Part& part, int64_t end_group) {
    const bool forward = weight_.direction() == Direction::kForward;
    const BFloat16* at = weight_.tiles(part);
    for (int64_t tile = 0; tile < part.row_tiles * part.depth_tiles; ++tile) {
      EXPECT_TRUE(seen_.insert(at).second) << "a tile is in two parts";
      const int64_t first_row = tile / part.depth_tiles * VnmTileWeight::kRows;
      const int64_t first_depth = tile % part.depth_tiles * VnmTileWeight::kDepth;
      for (int64_t i = 0; i < VnmTileWeight::kElements; ++i, ++at) {
        const int64_t row = first_row + i / VnmTileWeight::kDepth, depth = first_depth + i % VnmTileWeight::kDepth;
        Put(part, end_group, forward ? row : depth, forward ? depth : row, static_cast<float>(*at));
      }
    }
  }

  /// Of the block of a part, row `row` and the column that is number `kept` of those that it keeps.
  void Put(const VnmTileWeight::Part& part, int64_t end_group, int64_t row, int64_t kept, float value) {
    const VnmColumns& columns = weight_.columns();
    const int64_t w_row = part.row_block * columns.v() + row, group = part.group + kept / 4;
    const bool inside = row < columns.v() && w_row < dense_.dim(0) && group < end_group &&
                        columns.at(part.row_block, group)[kept % 4] != VnmColumns::kNone;
    if (!inside) {
      EXPECT_EQ(value, 0.0f) << "row " << row << ", kept column " << kept << " of block " << part.row_block;
      return;
    }
    const int32_t col = columns.at(part.row_block, group)[kept % 4];
    dense_.mutable_data<float>()[w_row * dense_.dim(1) + col] += value;
  }

  const VnmTileWeight& weight_;
  Tensor dense_;
  std::set<const BFloat16*> seen_;
};

/// Every kernel of tiles that runs here.
std::vector<LinearKernel> Packers() {
  std::vector<LinearKernel> packers;
  for (const LinearKernel& kernel : LinearKernels()) {
    if (kernel.layout == PackedLayout::kVnmTiles && IsAllowed(kernel.isa)) packers.push_back(kernel);
  }
  return packers;
}

std::unique_ptr<PackedWeight> Pack(const LinearKernel& kernel, const Tensor& weight, const Mask& mask,
                                   Direction direction, const VnmPattern& pattern) {
  std::vector<float> weights = weight.ToVector();
  for (int64_t i = 0; i < weight.numel(); ++i) {  // Weights that are pruned must not be read.
    if (!mask.Keeps(i / mask.cols(), i % mask.cols())) weights[i] = std::numeric_limits<float>::quiet_NaN();
  }
  MaskView view = mask.view();
  view.vnm = pattern;
  return kernel.pack(weights.data(), view, direction);
}

void ExpectHoldsTheWeight(int64_t rows, int64_t cols, const VnmPattern& pattern) {
  const Tensor weight = RandomF32({rows, cols}, {.seed = 1, .stream = static_cast<uint32_t>(pattern.m)});
  const Mask mask = FindVnmMask(weight, pattern);
  const Tensor expected = ApplyMask(weight, mask).To(DType::kBF16).To(DType::kF32);
  for (const LinearKernel& kernel : Packers()) {
    for (const Direction direction : {Direction::kForward, Direction::kInputGrad}) {
      SCOPED_TRACE(::testing::Message() << kernel.name << ", " << NameOf(direction) << ", " << pattern.ToString()
                                        << ", [" << rows << ", " << cols << "]");
      const auto packed = Pack(kernel, weight, mask, direction, pattern);
      const auto& tiles = PackedAs<VnmTileWeight>(*packed, kernel.isa);
      Unpacker unpacker(tiles, rows, cols);
      ExpectBitEqual(unpacker.Unpack(), expected);
      const size_t columns = tiles.columns().bytes(), offsets = tiles.bytes() - columns - unpacker.bytes();
      EXPECT_LE(offsets, direction == Direction::kForward ? 8 * columns : 0) << "beside the tiles that were unpacked";
    }
  }
}

TEST(VnmTileWeightTest, HoldsWhatTheMaskKeeps) {
  for (const int v : {4, 64, 80, 100, 256}) {
    for (const int m : {5, 8, 32}) {
      for (const auto& [rows, cols] : {std::pair{64, 64}, {4, 36}, {180, 164}}) {
        ExpectHoldsTheWeight(rows, cols, {.v = v, .m = m});
      }
    }
  }
  ExpectHoldsTheWeight(128, 96, {.v = 64, .m = 8, .inner = VnmInner::kRows});
}

TEST(VnmTileWeightTest, CutsTheDepthIntoSlices) {
  // Of 12 tiles at most: 96 groups of W, or six blocks of 64 rows of W transposed.
  ExpectHoldsTheWeight(72, 5 * 200, {.v = 64, .m = 5});
  ExpectHoldsTheWeight(64 * 14, 44, {.v = 64, .m = 6});
  ExpectHoldsTheWeight(80 * 5 + 4, 44, {.v = 80, .m = 6});
  const Tensor weight = RandomF32({64 * 14, 8 * 200}, {.seed = 2});
  const Mask mask = FindVnmMask(weight, {.v = 64, .m = 8});
  const VnmTileWeight forward(mask.view(), Direction::kForward, Isa::kAny);
  EXPECT_EQ(forward.columns().m(), 4) << "a mask that is not known to be V:N:M keeps all columns";
  MaskView view = mask.view();
  view.vnm = {.v = 64, .m = 8};
  const VnmTileWeight w(view, Direction::kForward, Isa::kAny), turned(view, Direction::kInputGrad, Isa::kAny);
  EXPECT_EQ(w.slices(), 3);
  EXPECT_EQ(w.count(2), 8);
  EXPECT_EQ(w.slice_cols(), 96 * 8);
  EXPECT_EQ(turned.slices(), 3);
  EXPECT_EQ(turned.count(2), 2);
  EXPECT_EQ(turned.slice_cols(), 6 * 64);
}

TEST(VnmTileWeightTest, OffsetsNameTheKeptColumnsInAPanel) {
  const VnmPattern pattern{.v = 64, .m = 5};
  const Tensor weight = RandomF32({128, 5 * 100 + 2}, {.seed = 3});
  const Mask mask = FindVnmMask(weight, pattern);
  MaskView view = mask.view();
  view.vnm = pattern;
  const VnmTileWeight w(view, Direction::kForward, Isa::kAny);
  ASSERT_EQ(w.slices(), 2);
  const auto zeros = static_cast<uint32_t>(96 * 5 * VnmTileWeight::kBatch);
  for (int64_t block = 0; block < 2; ++block) {
    const VnmTileWeight::Part parts[] = {w.ForwardPart(0, block), w.ForwardPart(1, block)};
    for (int64_t group = 0; group < 104; ++group) {
      const uint32_t* const four = w.offsets(parts[group / 96]) + group % 96 * 4;
      for (int i = 0; i < 4; ++i) {
        const int32_t col = group < 101 ? w.columns().at(block, group)[i] : VnmColumns::kNone;
        const auto in_slice = static_cast<uint32_t>(col - group / 96 * 96 * 5);
        EXPECT_EQ(four[i], col == VnmColumns::kNone ? zeros : in_slice * VnmTileWeight::kBatch);
      }
    }
  }
}

TEST(VnmTileWeightTest, TakesAQuarterOfTheDenseBytesWithGroupsOfSixteen) {
  const Tensor weight = RandomF32({256, 1024}, {.seed = 3});
  const VnmPattern pattern{.v = 64, .m = 16};
  const Mask mask = FindVnmMask(weight, pattern);
  const size_t dense = 256 * 1024 * sizeof(BFloat16);
  for (const LinearKernel& kernel : Packers()) {
    EXPECT_LE(Pack(kernel, weight, mask, Direction::kForward, pattern)->bytes(), dense / 4 * 1.07);
    EXPECT_LE(Pack(kernel, weight, mask, Direction::kInputGrad, pattern)->bytes(), dense / 4 * 1.04);
  }
}

TEST(VnmTileWeightTest, ThreadsDoNotMatter) {
  const VnmPattern pattern{.v = 64, .m = 8};
  const Tensor weight = RandomF32({64 * 9, 512}, {.seed = 4});
  const Mask mask = FindVnmMask(weight, pattern);
  for (const LinearKernel& kernel : Packers()) {
    for (const Direction direction : {Direction::kForward, Direction::kInputGrad}) {
      const auto unpacked = [&] {
        const auto packed = Pack(kernel, weight, mask, direction, pattern);
        return Unpacker(PackedAs<VnmTileWeight>(*packed, kernel.isa), 64 * 9, 512).Unpack();
      };
      const ScopedNumThreads one(1);
      const Tensor expected = unpacked();
      const ScopedNumThreads three(3);
      ExpectBitEqual(unpacked(), expected);
    }
  }
}

}  // namespace
}  // namespace twofour::sparse
