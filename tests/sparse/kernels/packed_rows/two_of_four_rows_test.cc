#include "twofour/sparse/kernels/packed_rows/two_of_four_rows.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "tests/support/for_each_isa.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

constexpr int64_t kRows = 14, kGroups = 5;

/// Two entries in each group, at positions that change from group to group.
void Fill(TwoOfFourRows& rows, const Tensor& values) {
  for (int64_t row = 0; row < kRows; ++row) {
    for (int64_t group = 0; group < kGroups; ++group) {
      const int first = static_cast<int>((row + group) % 3);
      for (const int which : {0, 1}) {
        const float value = values.data<float>()[(row * kGroups + group) * 2 + which];
        rows.Set(row, group, which, value, which == 0 ? first : 3);
      }
    }
  }
}

TEST(TwoOfFourRowsTest, PartsOfTheRowsMayHaveAnotherInput) {
  test::ForEachIsa([](Isa) {
    TwoOfFourRows rows(kRows, kGroups, DType::kF32);
    Fill(rows, test::RandomF32({kRows, 2 * kGroups}, {.seed = 1}));
    const int64_t cols = rows.padded_cols();
    ASSERT_EQ(cols, 32);
    const Tensor x = test::RandomF32({2, 6, cols}, {.seed = 2}), bias = test::RandomF32({kRows}, {.seed = 3});
    const float* const one = x.data<float>();
    const float* const other = one + 6 * cols;
    std::vector<float> all(6 * kRows), parts(6 * kRows, -1.0f), dense(static_cast<size_t>(cols));
    rows.Multiply(6, one, bias.data<float>(), all.data());
    rows.MultiplyRows(8, kRows, 6, one, bias.data<float>(), parts.data());
    rows.MultiplyRows(0, 4, 6, other, nullptr, parts.data());
    for (int64_t row = 0; row < kRows; ++row) {
      rows.UnpackRow(row, dense.data());
      for (int64_t b = 0; b < 6; ++b) {
        const auto at = static_cast<size_t>(b * kRows + row);
        const auto expected = [&](const float* input) {
          double sum = 0;
          for (int64_t col = 0; col < cols; ++col) {
            sum += static_cast<double>(dense[static_cast<size_t>(col)]) * input[b * cols + col];
          }
          return sum;
        };
        EXPECT_NEAR(all[at], expected(one) + bias.data<float>()[row], 1e-5);
        if (row < 4) {
          EXPECT_NEAR(parts[at], expected(other), 1e-5);
        } else {
          EXPECT_EQ(parts[at], row < 8 ? -1.0f : all[at]);  // Others are not touched; the same sums have the same bits.
        }
      }
    }
  });
}

TEST(TwoOfFourRowsTest, UnpacksEntriesWhereTheyStood) {
  TwoOfFourRows rows(kRows, kGroups, DType::kF32);
  const Tensor values = test::RandomF32({kRows, 2 * kGroups}, {.seed = 1});
  Fill(rows, values);
  std::vector<float> row(static_cast<size_t>(rows.padded_cols()));
  for (int64_t r = 0; r < kRows; ++r) {
    rows.UnpackRow(r, row.data());
    std::vector<float> expected(row.size(), 0.0f);
    for (int64_t group = 0; group < kGroups; ++group) {
      const float* const pair = values.data<float>() + (r * kGroups + group) * 2;
      expected[static_cast<size_t>(4 * group + (r + group) % 3)] = pair[0];
      expected[static_cast<size_t>(4 * group + 3)] = pair[1];
    }
    EXPECT_EQ(row, expected) << r;
  }
}

}  // namespace
}  // namespace twofour::sparse
