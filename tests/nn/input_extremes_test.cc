#include "twofour/nn/input_extremes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "twofour/core/error.h"
#include "twofour/nn/linear.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using test::F32;
using ::testing::ElementsAre;

TEST(InputExtremesTest, AreThoseOfAllPasses) {
  Linear linear(F32({1, 2, 3, 4, 5, 6}, {2, 3}), Tensor()), other(F32({1, 2}, {1, 2}), Tensor());
  ExtremesCollector collector({{&linear, "a.linear"}});
  {
    const ForwardObserverScope scope(collector);
    linear.Forward(F32({1, -2, 0, 4, -5, 0}, {2, 1, 3}));
    linear.Forward(F32({2, -9, -3}, {1, 3}));
    other.Forward(F32({100, 100}, {1, 2}));
  }
  EXPECT_THAT(collector.Require(linear).least, ElementsAre(1, -9, -3));
  EXPECT_THAT(collector.Require(linear).largest, ElementsAre(4, -2, 0));
  EXPECT_THAT(collector.Require(linear).Magnitudes(), ElementsAre(4, 9, 3));
}

TEST(InputExtremesTest, RefuseInputsThatAreNotFiniteAndLinearsWithout) {
  Linear linear(F32({1, 2}, {1, 2}), Tensor());
  ExtremesCollector collector({{&linear, "a.linear"}});
  EXPECT_ERROR(collector.Require(linear), ErrorKind::kInvalidInput,
               "a.linear: no batch of the calibration data comes to it, so that its inputs are not known");
  const ForwardObserverScope scope(collector);
  EXPECT_ERROR(linear.Forward(F32({1, std::numeric_limits<float>::infinity()}, {1, 2})), ErrorKind::kRuntimeFailure,
               "a.linear: input 1 of a token is inf, expected finite numbers");
}

}  // namespace
}  // namespace twofour::nn
