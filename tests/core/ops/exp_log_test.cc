#include "twofour/core/ops/exp_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "twofour/core/error.h"

#include "tests/support/gradient_checker.h"
#include "tests/support/tensors.h"

namespace twofour {
namespace {

using test::CheckGradients;
using test::F32;
using test::F64;
using test::I32;
using test::Leaf;
using test::RandomF64;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr double kInf = std::numeric_limits<double>::infinity();

TEST(ExpTest, Values) {
  const std::vector<double> x = {0, 1, -1, 88.5, -90, 100, -1000, kInf, -kInf, NAN};
  std::vector<double> y;
  for (const double value : x) y.push_back(std::exp(value));
  test::ExpectClose(Exp(F64(x, {10})), F64(y, {10}), 1e-15, 0);
  test::ExpectClose(Exp(F64(x, {10}).To(DType::kF32)), F64(y, {10}).To(DType::kF32), 1e-6, 1e-44);
}

TEST(LogTest, Values) {
  const std::vector<double> x = {1, 2, 0.5, 1e-38, 1e-42, 3e38, 0, -0.0, -1, kInf, -kInf, NAN};
  std::vector<double> y;
  for (const double value : x) y.push_back(std::log(value));
  test::ExpectClose(Log(F64(x, {12})), F64(y, {12}), 1e-15, 0);
  const Tensor narrow = F64(x, {12}).To(DType::kF32);
  test::ExpectClose(Log(narrow), Log(narrow.To(DType::kF64)).To(DType::kF32), 1e-6, 1e-7);
}

TEST(ExpLogTest, Gradients) {
  for (const Shape& shape : {Shape{}, Shape{13}, Shape{3, 7}, Shape{0, 4}, Shape{331, 101}}) {
    SCOPED_TRACE(ToString(shape));
    EXPECT_TRUE(CheckGradients([](const auto& in) { return Exp(in[0]); }, {Leaf(RandomF64(shape, {1}, -3, 3))},
                               {.max_varied = 50}));
    EXPECT_TRUE(CheckGradients([](const auto& in) { return Log(in[0]); }, {Leaf(RandomF64(shape, {1}, 0.2, 3))},
                               {.max_varied = 50}));
  }
}

TEST(ExpLogTest, Errors) {
  EXPECT_THAT([] { Exp(Tensor()); }, ThrowsMessage<Error>(HasSubstr("Exp: x is undefined")));
  EXPECT_THAT([] { Log(I32({1}, {1})); }, ThrowsMessage<Error>(HasSubstr("Log: x has dtype i32")));
}

}  // namespace
}  // namespace twofour
