#include "twofour/sparse/prune/input_statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "twofour/core/error.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::ExpectBitEqual;
using test::F32;
using test::RandomF32;
using test::ScopedNumThreads;
using ::testing::HasSubstr;
using Extent = InputStatistics::Extent;

TEST(InputStatisticsTest, SumsWhatSamplesAreLike) {
  InputStatistics statistics(2, Extent::kGram);
  statistics.Add(F32({1, -2, 3, 0}, {2, 2}), "x");
  statistics.Add(F32({-1, 4}, {1, 1, 2}), "x");
  EXPECT_EQ(statistics.samples(), 3);
  const Tensor norms = statistics.Norms(), magnitudes = statistics.MeanMagnitudes(), means = statistics.Means(),
               variances = statistics.Variances(), gram = statistics.Gram();
  EXPECT_FLOAT_EQ(norms.data<float>()[0], std::sqrt(11.0f));
  EXPECT_FLOAT_EQ(norms.data<float>()[1], std::sqrt(20.0f));
  EXPECT_FLOAT_EQ(magnitudes.data<float>()[0], 5.0f / 3);
  EXPECT_FLOAT_EQ(magnitudes.data<float>()[1], 2.0f);
  EXPECT_DOUBLE_EQ(means.data<double>()[0], 1);
  EXPECT_DOUBLE_EQ(means.data<double>()[1], 2.0 / 3);
  EXPECT_DOUBLE_EQ(variances.data<double>()[0], 11.0 / 3 - 1);
  const double expected[] = {11, -6, -6, 20};
  for (int i = 0; i < 4; ++i) EXPECT_DOUBLE_EQ(gram.data<double>()[i], expected[i]);
}

TEST(InputStatisticsTest, AgreesWithSumsInDouble) {
  const int64_t n = 37, samples = 700;
  const Tensor x = RandomF32({samples, n}, {.seed = 1});
  Tensor expected;
  for (const int threads : {1, 3}) {
    const ScopedNumThreads scope(threads);
    InputStatistics statistics(n, Extent::kGram);
    statistics.Add(x, "x");
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        double sum = 0;
        for (int64_t s = 0; s < samples; ++s) {
          sum += static_cast<double>(x.data<float>()[s * n + i]) * static_cast<double>(x.data<float>()[s * n + j]);
        }
        EXPECT_NEAR(statistics.Gram().data<double>()[i * n + j], sum, 1e-11);
        EXPECT_EQ(statistics.Gram().data<double>()[i * n + j], statistics.Gram().data<double>()[j * n + i]);
      }
    }
    if (!expected.defined()) expected = statistics.Gram();
    ExpectBitEqual(statistics.Gram(), expected);
  }
}

/// Squares of these inputs are beyond the range of a float, on either side.
TEST(InputStatisticsTest, TakesInputsOfAnySize) {
  for (const float unit : {0x1p66f, 1.0f, 0x1p-80f, 0x1p-146f}) {
    SCOPED_TRACE(unit);
    InputStatistics statistics(3, Extent::kGram);
    statistics.Add(F32({unit, 0, -2 * unit, 3 * unit, 0, 4 * unit}, {2, 3}), "x");
    const double square = static_cast<double>(unit) * static_cast<double>(unit);
    const Tensor gram = statistics.Gram(), norms = statistics.Norms();
    const double expected[] = {10, 0, 10, 0, 0, 0, 10, 0, 20};
    for (int i = 0; i < 9; ++i) EXPECT_DOUBLE_EQ(gram.data<double>()[i], expected[i] * square);
    EXPECT_FLOAT_EQ(norms.data<float>()[2], static_cast<float>(std::sqrt(20.0) * static_cast<double>(unit)));
  }
}

TEST(InputStatisticsTest, SaysWhichNormNoFloatCanHold) {
  InputStatistics statistics(2, Extent::kFeatures);
  for (int i = 0; i < 4; ++i) statistics.Add(F32({1, -3e38f}, {1, 2}), "x");
  EXPECT_ERROR(statistics.Norms("fc"), ErrorKind::kRuntimeFailure,
               HasSubstr("fc: the norm of feature 1 of its inputs is 6e+38, more than a 32-bit float can hold"));
}

TEST(InputStatisticsTest, RefusesOtherInputsAndAddsNothing) {
  InputStatistics statistics(2, Extent::kFeatures);
  statistics.Add(F32({1, 2}, {1, 2}), "fc");
  EXPECT_ERROR(statistics.Add(Tensor::Zeros({1, 3}), "fc"), ErrorKind::kInvalidInput,
               HasSubstr("fc: inputs of shape [1, 3], expected [..., 2]"));
  EXPECT_ERROR(statistics.Add(F32({1, 2, 3, std::numeric_limits<float>::infinity()}, {2, 2}), "fc"),
               ErrorKind::kRuntimeFailure, HasSubstr("fc: feature 1 of its input 2 is inf, expected finite"));
  EXPECT_EQ(statistics.samples(), 1);
  EXPECT_FLOAT_EQ(statistics.MeanMagnitudes().data<float>()[0], 1);
  EXPECT_FALSE(statistics.has_gram());
  EXPECT_ERROR(statistics.Gram(), ErrorKind::kInvalidInput, HasSubstr("kGram"));
}

}  // namespace
}  // namespace twofour::sparse
