#include "twofour/optim/newton_schulz.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "twofour/core/error.h"

#include "tests/optim/singular_values.h"
#include "tests/support/tensors.h"

namespace twofour::optim {
namespace {

using test::ExpectBitEqual;
using test::ExpectClose;
using test::RandomF32;
using test::ScopedNumThreads;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const Shape kShapes[] = {{48, 48}, {96, 24}, {24, 96}, {33, 17}, {1, 9}, {9, 1}, {1, 1}};

/// A matrix with random singular vectors and with singular values that are spread over [0.1, 1].
Tensor WellConditioned(const Shape& shape, uint64_t seed) {
  uint32_t stream = 0;
  return test::ToTensor(test::MapSingularValues(test::ToEigen(RandomF32(shape, {.seed = seed})), [&](double) {
    RandomSequence random({.seed = seed, .stream = ++stream});
    return static_cast<double>(random.Uniform(0.1f, 1.0f));
  }));
}

TEST(OrthogonalizeTest, SingularValuesComeCloseToOne) {
  for (const Shape& shape : kShapes) {
    for (double scale : {1e-3, 1.0, 1e6}) {
      SCOPED_TRACE(ToString(shape) + " times " + std::to_string(scale));
      const Eigen::MatrixXd matrix = scale * test::ToEigen(WellConditioned(shape, 1));
      const Eigen::MatrixXd result = test::ToEigen(Orthogonalize(test::ToTensor(matrix), 5));
      const Eigen::VectorXd values = test::SingularValues(result);
      EXPECT_GT(values.minCoeff(), 0.68);
      EXPECT_LT(values.maxCoeff(), 1.21);
    }
  }
}

TEST(OrthogonalizeTest, SingularVectorsStay) {
  for (const Shape& shape : kShapes) {
    for (int steps : {1, 2, 5, 7}) {
      SCOPED_TRACE(ToString(shape) + ", steps: " + std::to_string(steps));
      const Tensor matrix = WellConditioned(shape, 2);
      ExpectClose(Orthogonalize(matrix, steps), test::ToTensor(test::OrthogonalizeBySvd(test::ToEigen(matrix), steps)),
                  1e-4, 1e-5);
    }
  }
}

TEST(OrthogonalizeTest, TheArgumentIsOnlyRead) {
  const Tensor matrix = RandomF32({8, 5}, {.seed = 3}), before = matrix.Clone();
  for (int steps : {1, 2}) Orthogonalize(matrix, steps);
  ExpectBitEqual(matrix, before);
}

TEST(OrthogonalizeTest, ZeroStaysZero) {
  for (const Shape& shape : kShapes) ExpectBitEqual(Orthogonalize(Tensor::Zeros(shape), 5), Tensor::Zeros(shape));
}

TEST(OrthogonalizeTest, ThreadsDoNotMatter) {
  for (const Shape& shape : {Shape{300, 200}, Shape{200, 300}, Shape{260, 260}}) {
    const Tensor matrix = RandomF32(shape, {.seed = 4});
    Tensor expected;
    {
      const ScopedNumThreads scope(1);
      expected = Orthogonalize(matrix, 5);
    }
    const ScopedNumThreads scope(3);
    ExpectBitEqual(Orthogonalize(matrix, 5), expected);
  }
}

TEST(OrthogonalizeTest, WhatIsNoMatrixIsAnError) {
  EXPECT_THAT([] { Orthogonalize(Tensor::Zeros({4}), 5); }, ThrowsMessage<Error>(HasSubstr("f32 [4]")));
  EXPECT_THAT([] { Orthogonalize(Tensor::Zeros({4, 4}, DType::kF64), 5); }, ThrowsMessage<Error>(HasSubstr("f64")));
  EXPECT_THAT([] { Orthogonalize(Tensor::Zeros({4, 4}), -1); }, ThrowsMessage<Error>(HasSubstr("in -1 steps")));
}

}  // namespace
}  // namespace twofour::optim
