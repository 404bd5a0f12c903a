#include "twofour/sparse/scores/ria_scores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::ExpectBitEqual;
using test::ExpectClose;
using test::F32;
using test::RandomF32;
using test::ScopedNumThreads;
using ::testing::HasSubstr;

/// Worked out by hand: row sums 4 and 8, column sums 3, 3 and 6, roots of norms 1, 2 and 3.
TEST(RiaScoresTest, AddsSharesOfRowAndColumn) {
  const Tensor weight = F32({-1, 3, 0, 2, 0, -6}, {2, 3});
  const double q = 1.0 / 4, e = 1.0 / 8, t = 1.0 / 3;
  ExpectClose(RiaScores(weight, F32({1, 4, 9}, {3})),
              F32({static_cast<float>(q + t), static_cast<float>((3 * q + 1) * 2), 0, static_cast<float>(2 * e + 2 * t),
                   0, static_cast<float>((6 * e + 1) * 3)},
                  {2, 3}),
              1e-6, 0);
}

TEST(RiaScoresTest, ZerosScoreZero) {
  ExpectBitEqual(RiaScores(F32({0, 0, 0, 2, 0, 3}, {3, 2}), F32({4, 0}, {2})), F32({0, 0, 0, 0, 0, 0}, {3, 2}));
  EXPECT_EQ(RiaScores(Tensor::Zeros({0, 4}), Tensor::Zeros({4})).shape(), (Shape{0, 4}));
}

/// Shares do not depend on the unit of the weight; norms count by their root.
TEST(RiaScoresTest, ScalesAsThePaperSays) {
  const Tensor weight = RandomF32({16, 24}, {3, 0, 0}), norms = RandomF32({24}, {4, 0, 0}, 0.5, 2.0);
  Tensor scaled = weight.Clone(), louder = norms.Clone(), twice = RiaScores(weight, norms);
  for (int64_t i = 0; i < scaled.numel(); ++i) {
    scaled.mutable_data<float>()[i] *= -1024;
    twice.mutable_data<float>()[i] *= 2;
  }
  for (int64_t i = 0; i < louder.numel(); ++i) louder.mutable_data<float>()[i] *= 4;
  ExpectClose(RiaScores(scaled, norms), RiaScores(weight, norms), 1e-6, 0);
  ExpectClose(RiaScores(weight, louder), twice, 1e-6, 0);
}

TEST(RiaScoresTest, IsTheSameForAnyNumberOfThreads) {
  const Tensor weight = RandomF32({130, 260}, {5, 0, 0}), norms = RandomF32({260}, {6, 0, 0}, 0, 2);
  const ScopedNumThreads one(1);
  const Tensor expected = RiaScores(weight, norms);
  const ScopedNumThreads three(3);
  ExpectBitEqual(RiaScores(weight, norms), expected);
}

TEST(RiaScoresTest, SaysWhatIsWrong) {
  const Tensor weight = Tensor::Full({2, 3}, 1);
  const auto scores = [](const Tensor& w, const Tensor& norms) { RiaScores(w, norms, "c_fc.weight"); };
  EXPECT_ERROR(scores(weight, Tensor::Zeros({2})), ErrorKind::kInvalidInput,
               HasSubstr("c_fc.weight: norms of shape [2] for a weight [2, 3], expected [3]"));
  EXPECT_ERROR(scores(weight, F32({1, -1, 1}, {3})), ErrorKind::kInvalidInput,
               HasSubstr("c_fc.weight: norm 1 of its inputs is -1, expected a finite number of at least 0"));
  EXPECT_ERROR(scores(weight, F32({1, 1, std::numeric_limits<float>::infinity()}, {3})), ErrorKind::kInvalidInput,
               HasSubstr("norm 2 of its inputs is inf"));
  EXPECT_ERROR(scores(Tensor::Zeros({6}), Tensor::Zeros({6})), ErrorKind::kInvalidInput,
               HasSubstr("shape [6], expected a matrix"));
  EXPECT_ERROR(scores(F32({1, std::numeric_limits<float>::quiet_NaN()}, {1, 2}), Tensor::Zeros({2})),
               ErrorKind::kRuntimeFailure, HasSubstr("c_fc.weight"));
  EXPECT_ERROR(scores(weight.To(DType::kF64), Tensor::Zeros({3})), ErrorKind::kInvalidInput, HasSubstr("f32"));
}

}  // namespace
}  // namespace twofour::sparse
