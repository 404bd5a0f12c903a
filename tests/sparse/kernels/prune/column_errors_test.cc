#include "twofour/sparse/kernels/prune/column_errors.h"

#include <gtest/gtest.h>

#include <vector>

#include "twofour/core/random.h"

#include "tests/support/for_each_isa.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

constexpr int64_t kMostRowsHere = 40, kPitchHere = kMostRowsHere + kColumnRoom;

TEST(ColumnErrorsTest, DropsAndTellsWhatIsLost) {
  test::ForEachIsa([](Isa) {
    for (const int64_t rows : {1, 7, 16, 33, 40}) {
      const Tensor before = test::RandomF32({kPitchHere}, {.seed = 1});
      Tensor w = before.Clone(), lost = Tensor::Zeros({kPitchHere});
      std::vector<uint8_t> kept(static_cast<size_t>(kPitchHere));
      for (size_t i = 0; i < kept.size(); ++i) kept[i] = i * i % 3 == 1;
      DropOfColumn(rows, -2.5f, kept.data(), w.mutable_data<float>(), lost.mutable_data<float>());
      for (int64_t i = 0; i < rows; ++i) {
        const float x = before.data<float>()[i];
        const bool keeps = kept[static_cast<size_t>(i)] != 0;
        EXPECT_EQ(w.data<float>()[i], keeps ? x : 0.0f);
        EXPECT_EQ(lost.data<float>()[i], keeps ? 0.0f : -2.5f * x);
      }
    }
  });
}

TEST(ColumnErrorsTest, AddsErrorsInOrder) {
  test::ForEachIsa([](Isa) {
    const Tensor lost = test::RandomF32({4, kPitchHere}, {.seed = 2}),
                 before = test::RandomF32({kPitchHere}, {.seed = 3});
    const float factors[] = {0.3f, -1.7f, 2.1f, 0.9f};
    for (int count = 1; count <= kMostErrors; ++count) {
      for (const int64_t rows : {1, 7, 16, 33, 40}) {
        Tensor w = before.Clone();
        AddErrors(rows, count, factors, lost.data<float>(), kPitchHere, w.mutable_data<float>());
        for (int64_t row = 0; row < rows; ++row) {
          float expected = before.data<float>()[row];
          for (int i = 0; i < count; ++i) {
            const float product = factors[i] * lost.data<float>()[i * kPitchHere + row];
            expected += product;
          }
          EXPECT_EQ(w.data<float>()[row], expected);
        }
      }
    }
  });
}

}  // namespace
}  // namespace twofour::sparse
