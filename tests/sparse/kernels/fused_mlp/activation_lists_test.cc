#include "twofour/sparse/kernels/fused_mlp/activation_lists.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::RandomF32;
using test::ScopedNumThreads;
using Rows = ActivationLists::Rows;

/// A PanelMatrix of random numbers, of which the share `density` is not zero. Rows beyond the batch hold random
/// numbers, too.
std::unique_ptr<PanelMatrix> MakeMatrix(int64_t batch, int64_t features, int64_t panel, double density,
                                        uint64_t seed = 1) {
  auto result = std::make_unique<PanelMatrix>(batch, features, panel);
  PanelMatrix& matrix = *result;
  const Tensor numbers = RandomF32({matrix.panels() * panel, features}, {.seed = seed});
  const Tensor chances = RandomF32({matrix.panels() * panel, features}, {.seed = 7}, 0, 1);
  for (int64_t p = 0; p < matrix.panels(); ++p) {
    for (int64_t j = 0; j < features; ++j) {
      uint64_t bits = 0;
      for (int64_t t = 0; t < panel; ++t) {
        const int64_t at = (p * panel + t) * features + j;
        const bool keep = chances.data<float>()[at] < density;
        matrix.values(p)[j * panel + t] = keep ? numbers.data<float>()[at] : 0.0f;
        bits |= static_cast<uint64_t>(keep) << t;
      }
      matrix.nonzero(p)[j] = bits & matrix.valid_bits(p);
    }
  }
  return result;
}

/// The row-major matrix [rows, cols] of the lists. Checks that each entry is there once, under the code of its
/// non-zeros, in order.
std::vector<float> Unpack(const ActivationLists& lists, int64_t column_units) {
  std::vector<float> dense(static_cast<size_t>(lists.groups() * ActivationLists::kGroupRows * lists.cols()));
  for (int64_t block = 0; block < lists.blocks(); ++block) {
    for (int64_t group = 0; group < lists.groups(); ++group) {
      const ActivationLists::Ends& ends = lists.ends(block, group);
      for (int code = 1; code < ActivationLists::kCodes; ++code) {
        int64_t before = -1;
        for (uint32_t entry = ends[code - 1]; entry < ends[code]; ++entry) {
          EXPECT_EQ(lists.offsets()[entry] % column_units, 0);
          const int64_t col = block * lists.block_cols() + lists.offsets()[entry] / column_units;
          EXPECT_GT(col, before);
          before = col;
          for (int r = 0; r < ActivationLists::kGroupRows; ++r) {
            if ((code >> r & 1) == 0) continue;
            float& to = dense[(group * ActivationLists::kGroupRows + r) * lists.cols() + col];
            EXPECT_EQ(to, 0.0f);
            to = lists.values()[entry][r];
          }
        }
      }
    }
  }
  return dense;
}

void ExpectHolds(const ActivationLists& lists, const PanelMatrix& matrix, Rows rows, int64_t column_units) {
  const std::vector<float> dense = Unpack(lists, column_units);
  ASSERT_EQ(lists.rows(), rows == Rows::kBatch ? matrix.batch() : matrix.features());
  for (int64_t b = 0; b < matrix.batch(); ++b) {
    for (int64_t j = 0; j < matrix.features(); ++j) {
      const float expected = matrix.values(b / matrix.panel())[j * matrix.panel() + b % matrix.panel()];
      const int64_t at = rows == Rows::kBatch ? b * lists.cols() + j : j * lists.cols() + b;
      ASSERT_EQ(dense[at], expected) << "batch row " << b << ", feature " << j;
    }
  }
}

TEST(ActivationListsTest, HoldTheNonZerosEitherWay) {
  for (int64_t panel : {4, 12, 24, 64}) {
    for (int64_t batch : {1, 5, 24, 63, 130}) {
      for (double density : {0.0, 0.1, 0.5, 1.0}) {
        const auto made = MakeMatrix(batch, 20, panel, density);
        const PanelMatrix& matrix = *made;
        for (Rows rows : {Rows::kBatch, Rows::kFeatures}) {
          const ActivationLists lists(matrix, rows, 72, 96);
          ExpectHolds(lists, matrix, rows, 96);
        }
      }
    }
  }
}

TEST(ActivationListsTest, OtherValuesGoWithTheSameZeros) {
  const auto made = MakeMatrix(70, 36, 24, 0.3), others = MakeMatrix(70, 36, 24, 0.3, /*seed=*/2);
  const PanelMatrix &matrix = *made, &other = *others;
  for (Rows rows : {Rows::kBatch, Rows::kFeatures}) {
    const ActivationLists lists(matrix, rows, 16, 192);
    ExpectHolds(ActivationLists(other, lists), other, rows, 192);
    ExpectHolds(lists, matrix, rows, 192);
  }
}

TEST(ActivationListsTest, ThreadsDoNotMatter) {
  const auto made = MakeMatrix(600, 400, 24, 0.3);
  const PanelMatrix& matrix = *made;
  for (Rows rows : {Rows::kBatch, Rows::kFeatures}) {
    const ScopedNumThreads one(1);
    const std::vector<float> expected = Unpack(ActivationLists(matrix, rows, 120, 192), 192);
    for (int threads : {2, 3}) {
      const ScopedNumThreads more(threads);
      EXPECT_EQ(Unpack(ActivationLists(matrix, rows, 120, 192), 192), expected);
    }
  }
}

TEST(PanelMatrixTest, DensityIsTheShareOfNonZeros) {
  EXPECT_NEAR(MakeMatrix(500, 100, 24, 0.25)->Density(), 0.25, 0.01);
  EXPECT_EQ(MakeMatrix(50, 10, 64, 0)->Density(), 0);
  EXPECT_EQ(MakeMatrix(70, 12, 64, 1)->Density(), 1);
  EXPECT_EQ(PanelMatrix(0, 8, 24).Density(), 1);
}

}  // namespace
}  // namespace twofour::sparse
