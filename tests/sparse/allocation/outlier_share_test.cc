#include "twofour/sparse/allocation/outlier_share.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "twofour/core/error.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::F32;
using test::RandomF32;
using test::ScopedNumThreads;
using ::testing::HasSubstr;

TEST(OutlierShareTest, CountsWhatIsAboveAMultipleOfTheMean) {
  // The mean of the magnitudes is 2.
  const Tensor scores = F32({1, -1, 1, 1, 1, 1, -9, 1}, {2, 4});
  EXPECT_EQ(OutlierShare(scores, 0.25), 1);
  EXPECT_EQ(OutlierShare(scores, 0.5), 0.125);  // 1 is not above 1.
  EXPECT_EQ(OutlierShare(scores, 4), 0.125);
  EXPECT_EQ(OutlierShare(scores), 0);
  EXPECT_EQ(OutlierShare(Tensor::Zeros({3, 3})), 0);
}

TEST(OutlierShareTest, TakesTheMatricesOfABlockTogether) {
  const Tensor small = Tensor::Full({4, 4}, 1), large = Tensor::Full({2, 2}, 21);
  EXPECT_EQ(OutlierShare(small, 2), 0);
  EXPECT_EQ(OutlierShare(large, 2), 0);
  const std::vector<NamedScores> block = {{"q", small}, {"k", large}};  // Their mean is 5.
  EXPECT_EQ(OutlierShare(block, 2), 0.2);
  EXPECT_EQ(OutlierShare(block, 4.25), 0);
}

/// Against a loop in double, and on any number of threads the same.
TEST(OutlierShareTest, OfRandomScores) {
  const Tensor scores = RandomF32({301, 97}, {.seed = 3});
  double sum = 0, count = 0;
  for (int64_t i = 0; i < scores.numel(); ++i) sum += std::fabs(scores.data<float>()[i]);
  const double mean = sum / static_cast<double>(scores.numel());
  for (int64_t i = 0; i < scores.numel(); ++i) count += std::fabs(scores.data<float>()[i]) > 1.7 * mean;
  for (const int threads : {1, 2, 5}) {
    const ScopedNumThreads scope(threads);
    EXPECT_EQ(OutlierShare(scores, 1.7), count / static_cast<double>(scores.numel()));
  }
}

TEST(OutlierShareTest, RefusesWhatIsNoScore) {
  Tensor scores = RandomF32({8, 8}, {.seed = 1});
  scores.mutable_data<float>()[10] = std::numeric_limits<float>::infinity();
  const std::vector<NamedScores> named = {{"fc.weight", scores}};
  EXPECT_ERROR(OutlierShare(named), ErrorKind::kRuntimeFailure, HasSubstr("fc.weight: element [1, 2] is inf"));
  EXPECT_ERROR(OutlierShare(Tensor::Zeros({2})), ErrorKind::kInvalidInput, HasSubstr("[2]"));
  EXPECT_ERROR(OutlierShare(Tensor::Zeros({2, 2}, DType::kF64)), ErrorKind::kInvalidInput, HasSubstr("f64"));
  EXPECT_ERROR(OutlierShare(Tensor::Zeros({0, 2})), ErrorKind::kInvalidInput, HasSubstr("no scores"));
  EXPECT_ERROR(OutlierShare(std::span<const NamedScores>()), ErrorKind::kInvalidInput, HasSubstr("no scores"));
  EXPECT_ERROR(OutlierShare(Tensor::Zeros({2, 2}), 0), ErrorKind::kInvalidInput,
               HasSubstr("OutlierShare: multiple is 0, expected a positive finite number"));
}

}  // namespace
}  // namespace twofour::sparse
