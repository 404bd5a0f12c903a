#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <vector>

#include "twofour/core/half.h"
#include "twofour/core/kernels/rows/softmax.h"

#include "tests/support/awkward_halves.h"
#include "tests/support/for_each_isa.h"
#include "tests/support/tensors.h"

namespace twofour::kernels {
namespace {

constexpr int32_t kIgnored = -100;

/// What remains of a call.
template <typename G>
struct Result {
  std::vector<float> logits;
  std::vector<G> gradient;
  std::vector<double> losses;
};

template <typename G>
Result<G> Computed(int64_t rows, int64_t cols, const std::vector<float>& logits, const std::vector<int32_t>& targets,
                   float cap) {
  Result<G> result = {logits, std::vector<G>(logits.size()), std::vector<double>(targets.size())};
  CappedCrossEntropy<float, G> problem;
  problem.rows = rows;
  problem.cols = cols;
  problem.target = targets.data();
  problem.ignore_index = kIgnored;
  problem.soft_cap = cap;
  problem.factor = 0.3f;
  problem.logits = result.logits.data();
  problem.gradient = result.gradient.data();
  problem.losses = result.losses.data();
  ComputeCappedCrossEntropy(problem);
  return result;
}

std::vector<float> Logits(int64_t count) {
  RandomSequence random({.seed = 1, .stream = static_cast<uint32_t>(count)});
  std::vector<float> logits(static_cast<size_t>(count));
  for (float& logit : logits) logit = random.Uniform(-8, 8);
  return logits;
}

TEST(CappedCrossEntropyTest, AGradientOf16BitsIsThatInFloatRoundedOnce) {
  test::ForEachIsa([](Isa) {
    for (const int64_t cols : {1, 2, 15, 17, 33, 600}) {
      constexpr int64_t kRows = 5;
      std::vector<float> logits = Logits(kRows * cols);
      std::vector<int32_t> targets(kRows);
      for (int64_t r = 0; r < kRows; ++r) targets[r] = static_cast<int32_t>(r * 7 % cols);
      targets[3] = kIgnored;
      logits[3 * cols] = std::numeric_limits<float>::quiet_NaN();  // In the row that is ignored.
      for (const float cap : {0.0f, 5.0f}) {
        SCOPED_TRACE(::testing::Message() << cols << " classes, cap " << cap);
        const auto wide = Computed<float>(kRows, cols, logits, targets, cap);
        const auto narrow = Computed<BFloat16>(kRows, cols, logits, targets, cap);
        EXPECT_EQ(narrow.losses, wide.losses);
        for (size_t i = 0; i < logits.size(); ++i) {
          ASSERT_EQ(narrow.gradient[i].bits(), BFloat16(wide.gradient[i]).bits()) << i;
        }
      }
    }
  });
}

TEST(CappedCrossEntropyTest, TheGradientMayTakeThePlaceOfTheLogits) {
  constexpr int64_t kRows = 3, kCols = 37;
  const std::vector<float> logits = Logits(kRows * kCols);
  const std::vector<int32_t> targets = {0, kIgnored, 36};
  for (const float cap : {0.0f, 5.0f}) {
    const auto expected = Computed<float>(kRows, kCols, logits, targets, cap);
    std::vector<float> in_place = logits;
    std::vector<double> losses(kRows);
    CappedCrossEntropy<float> problem;
    problem.rows = kRows;
    problem.cols = kCols;
    problem.target = targets.data();
    problem.ignore_index = kIgnored;
    problem.soft_cap = cap;
    problem.factor = 0.3f;
    problem.logits = problem.gradient = in_place.data();
    problem.losses = losses.data();
    ComputeCappedCrossEntropy(problem);
    EXPECT_EQ(in_place, expected.gradient);
    EXPECT_EQ(losses, expected.losses);
  }
}

}  // namespace
}  // namespace twofour::kernels
