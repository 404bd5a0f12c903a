#include "twofour/sparse/kernels/fused_mlp/bf16_lists.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "twofour/core/half.h"
#include "twofour/sparse/kernels/fused_mlp/fused_mlp_kernel.h"

#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::RandomF32;
using test::ScopedNumThreads;
using Lists = Bf16ActivationLists;
using Rows = NonZeroLists::Rows;

constexpr int64_t kPanelRows = 64;

/// Calls test(kernel) for each kernel that makes such lists and can run here.
template <typename Test>
void ForAllMakers(const Test& test) {
  for (const FusedMlpKernel& kernel : FusedMlpKernels()) {
    if (kernel.linear->layout != PackedLayout::kBf16PairBucket || !IsAllowed(kernel.linear->isa)) continue;
    SCOPED_TRACE(kernel.name);
    ASSERT_EQ(kernel.panel, kPanelRows);
    test(kernel);
  }
}

/// A matrix of random numbers, of which the share `density` is not zero. Beyond the batch there are NaNs.
std::unique_ptr<PanelMatrix> MakeMatrix(int64_t batch, int64_t features, double density, uint64_t seed = 1) {
  auto matrix = std::make_unique<PanelMatrix>(batch, features, kPanelRows, DType::kBF16);
  const Tensor numbers = RandomF32({batch, features}, {.seed = seed}, 0.5, 1);
  const Tensor chances = RandomF32({batch, features}, {.seed = 7}, 0, 1);
  for (int64_t p = 0; p < matrix->panels(); ++p) {
    for (int64_t j = 0; j < features; ++j) {
      uint64_t& bits = matrix->nonzero(p)[j] = 0;
      for (int64_t r = 0; r < kPanelRows; ++r) {
        const int64_t at = (p * kPanelRows + r) * features + j;
        BFloat16& to = matrix->values<BFloat16>(p)[j * kPanelRows + r];
        to = BFloat16(r < matrix->rows(p) ? 0.0f : std::numeric_limits<float>::quiet_NaN());
        if (r >= matrix->rows(p) || chances.data<float>()[at] >= density) continue;
        to = BFloat16(numbers.data<float>()[at]);
        bits |= uint64_t{1} << r;
      }
    }
  }
  return matrix;
}

/// Element [batch row, feature].
BFloat16 At(const PanelMatrix& matrix, int64_t row, int64_t feature) {
  return matrix.values<BFloat16>(row / kPanelRows)[feature * kPanelRows + row % kPanelRows];
}

/// The matrix [rows, cols] of the lists, as bits. Checks that entries of a list are in ascending order, and that what
/// fills a pair is zero times the column of the pair.
std::vector<uint16_t> Unpack(const Lists& lists) {
  std::vector<uint16_t> dense(static_cast<size_t>(lists.rows() * lists.cols()));
  for (int64_t block = 0; block < lists.blocks(); ++block) {
    for (int64_t row = 0; row < lists.rows(); ++row) {
      const Lists::List list = lists.list(block, row);
      int64_t last = block * lists.block_cols() - 1;
      for (int64_t entry = 0; entry < 2 * list.count; ++entry) {
        const uint16_t offset = list.offsets[entry / 2][entry % 2];
        const auto bits = static_cast<uint16_t>(list.values[entry / 2] >> (16 * (entry % 2)));
        EXPECT_EQ(offset % Lists::kColumnUnits, 0);
        const int64_t col = block * lists.block_cols() + offset / Lists::kColumnUnits;
        if (entry == 2 * list.count - 1 && col == last) {
          EXPECT_EQ(bits, 0);
          continue;
        }
        EXPECT_GT(col, last);
        EXPECT_LT(col, std::min((block + 1) * lists.block_cols(), lists.cols()));
        dense[static_cast<size_t>(row * lists.cols() + col)] = bits;
        last = col;
      }
    }
  }
  return dense;
}

void ExpectHolds(const NonZeroLists& nonzeros, const PanelMatrix& matrix, Rows rows) {
  const auto& lists = dynamic_cast<const Lists&>(nonzeros);
  ASSERT_EQ(lists.rows(), rows == Rows::kBatch ? matrix.batch() : matrix.features());
  ASSERT_EQ(lists.cols(), rows == Rows::kBatch ? matrix.features() : matrix.batch());
  std::vector<uint16_t> expected(static_cast<size_t>(lists.rows() * lists.cols()));
  for (int64_t b = 0; b < matrix.batch(); ++b) {
    for (int64_t j = 0; j < matrix.features(); ++j) {
      expected[static_cast<size_t>(rows == Rows::kBatch ? b * lists.cols() + j : j * lists.cols() + b)] =
          At(matrix, b, j).bits();
    }
  }
  const std::vector<uint16_t> actual = Unpack(lists);
  for (size_t i = 0; i < expected.size(); ++i) ASSERT_EQ(actual[i], expected[i]) << "element " << i;
}

TEST(Bf16ActivationListsTest, HoldTheNonZerosEitherWay) {
  ForAllMakers([](const FusedMlpKernel& kernel) {
    for (const int64_t batch : {1, 2, 31, 32, 33, 63, 64, 65, 127, 128, 129, 200}) {
      for (const double density : {0.0, 0.05, 0.5, 1.0}) {
        const auto matrix = MakeMatrix(batch, 20, density);
        for (const Rows rows : {Rows::kBatch, Rows::kFeatures}) {
          SCOPED_TRACE(::testing::Message() << "batch " << batch << ", density " << density
                                            << (rows == Rows::kBatch ? ", by batch row" : ", by feature"));
          ExpectHolds(*kernel.lists(*matrix, rows), *matrix, rows);
        }
      }
    }
    for (const int64_t features : {4, 12, 16, 124, 128, 132, 260, 512, 516, 1100}) {
      const auto matrix = MakeMatrix(70, features, features % 3 == 0 ? 0.3 : 0.1);
      for (const Rows rows : {Rows::kBatch, Rows::kFeatures}) {
        ExpectHolds(*kernel.lists(*matrix, rows), *matrix, rows);
      }
    }
  });
}

TEST(Bf16ActivationListsTest, WideBlocksHoldFewAndManyNonZeros) {
  // Several wide blocks either way. One batch row and one feature have no zeros, more than a byte counts.
  const auto matrix = MakeMatrix(1100, 1100, 0.05);
  ASSERT_LE(matrix->Density(), Lists::kFew);
  const auto set = [&](int64_t row, int64_t feature) {
    matrix->values<BFloat16>(row / kPanelRows)[feature * kPanelRows + row % kPanelRows] = BFloat16(1.5f);
    matrix->nonzero(row / kPanelRows)[feature] |= uint64_t{1} << row % kPanelRows;
  };
  for (int64_t i = 0; i < 1100; ++i) set(67, i), set(i, 513);
  ForAllMakers([&](const FusedMlpKernel& kernel) {
    for (const Rows rows : {Rows::kBatch, Rows::kFeatures}) {
      const auto lists = kernel.lists(*matrix, rows);
      EXPECT_EQ(dynamic_cast<const Lists&>(*lists).blocks(), 3);
      ExpectHolds(*lists, *matrix, rows);
    }
  });
}

TEST(Bf16ActivationListsTest, OtherValuesMayHaveMoreZeros) {
  const auto matrix = MakeMatrix(135, 36, 0.3), other = MakeMatrix(135, 36, 0.3, /*seed=*/2);
  for (int64_t p = 0; p < other->panels(); ++p) {  // The words still say that these are not zero.
    for (int64_t j = 0; j < 36; j += 5) std::fill_n(other->values<BFloat16>(p) + j * kPanelRows, 7, BFloat16(0.0f));
  }
  ForAllMakers([&](const FusedMlpKernel& kernel) {
    for (const Rows rows : {Rows::kBatch, Rows::kFeatures}) {
      const auto lists = kernel.lists(*matrix, rows);
      ExpectHolds(*kernel.other_values(*other, *lists), *other, rows);
      ExpectHolds(*lists, *matrix, rows);
    }
  });
}

TEST(Bf16ActivationListsTest, NeitherThreadsNorTheEmulationMatter) {
  const auto matrix = MakeMatrix(300, 200, 0.3);
  for (const Rows rows : {Rows::kBatch, Rows::kFeatures}) {
    std::vector<uint16_t> expected;
    ForAllMakers([&](const FusedMlpKernel& kernel) {
      for (const int threads : {1, 2, 3}) {
        const ScopedNumThreads scoped(threads);
        const auto lists = kernel.lists(*matrix, rows);
        const std::vector<uint16_t> actual = Unpack(dynamic_cast<const Lists&>(*lists));
        if (expected.empty()) expected = actual;
        EXPECT_EQ(actual, expected);
      }
    });
  }
}

TEST(Bf16ActivationListsTest, NotANumberCountsAsNonZero) {
  const auto matrix = MakeMatrix(70, 8, 0.2);
  matrix->values<BFloat16>(1)[3 * kPanelRows + 5] = BFloat16(std::numeric_limits<float>::quiet_NaN());
  matrix->nonzero(1)[3] |= uint64_t{1} << 5;
  ForAllMakers([&](const FusedMlpKernel& kernel) {
    for (const Rows rows : {Rows::kBatch, Rows::kFeatures}) {
      ExpectHolds(*kernel.lists(*matrix, rows), *matrix, rows);
    }
  });
}

TEST(Bf16PanelMatrixTest, IsCopiedAsF32) {
  const auto matrix = MakeMatrix(70, 12, 0.5);
  std::vector<float> copy(70 * 12);
  matrix->CopyTo(copy.data());
  for (int64_t b = 0; b < 70; ++b) {
    for (int64_t j = 0; j < 12; ++j) {
      ASSERT_EQ(copy[static_cast<size_t>(b * 12 + j)], static_cast<float>(At(*matrix, b, j)));
    }
  }
}

}  // namespace
}  // namespace twofour::sparse
