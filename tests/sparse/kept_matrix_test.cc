#include "twofour/sparse/kept_matrix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/core/error.h"
#include "twofour/sparse/mask_of_pattern.h"

#include "tests/sparse/patterns.h"
#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

TEST(KeptMatrixTest, MovesKeptEntriesSideBySideAndBack) {
  const Tensor x = test::F32({1, 2, 3, 4, 5, 6, 7, 8}, {2, 4});
  Mask mask(2, 4);
  mask.tiles()[0] = 0b0100'1011;  // Columns 0, 1 and 3 of the first row, and 2 of the second.
  const KeptMatrix kept(x, mask);
  test::ExpectBitEqual(kept.values(), test::F32({1, 2, 4, 7, 0, 0}, {2, 3}));
  test::ExpectBitEqual(kept.Spread(test::F32({10, 20, 40, 70, 9, 9}, {2, 3})),
                       test::F32({10, 20, 0, 40, 0, 0, 70, 0}, {2, 4}));
}

TEST(KeptMatrixTest, SpreadUndoesIt) {
  for (const char* const text : {"transposable:2:4", "2:4", "8:2:8", "unstructured:0.7"}) {
    const Tensor x = test::RandomF32({24, 32}, {1});
    const Mask mask = FindMaskOf(x, test::PatternOf(text));
    const KeptMatrix kept(x, mask);
    test::ExpectBitEqual(kept.Spread(kept.values()), ApplyMask(x, mask));
  }
}

TEST(KeptMatrixTest, AMaskThatKeepsNothingLeavesAColumnOfZeros) {
  const KeptMatrix kept(Tensor::Full({4, 4}, 1), Mask(4, 4));
  test::ExpectBitEqual(kept.values(), Tensor::Zeros({4, 1}));
  test::ExpectBitEqual(kept.Spread(kept.values()), Tensor::Zeros({4, 4}));
}

TEST(KeptMatrixTest, RefusesOtherShapes) {
  EXPECT_ERROR(KeptMatrix(Tensor::Zeros({4, 8}), Mask(4, 4)), ErrorKind::kInvalidInput, ::testing::HasSubstr("x"));
  const KeptMatrix kept(Tensor::Zeros({4, 4}), Mask(4, 4));
  EXPECT_ERROR(kept.Spread(Tensor::Zeros({4, 4})), ErrorKind::kInvalidInput, ::testing::HasSubstr("values"));
}

}  // namespace
}  // namespace twofour::sparse
