#include "twofour/core/ops/softmax.h"

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
using test::ExpectBitEqual;
using test::ExpectClose;
using test::F32;
using test::F64;
using test::I32;
using test::Leaf;
using test::RandomF32;
using test::RandomF64;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr double kInf = std::numeric_limits<double>::infinity();

TEST(SoftmaxTest, KnownValues) {
  ExpectClose(Softmax(F64({0, std::log(2.0), std::log(5.0), 7, 7, 7}, {2, 3})),
              F64({0.125, 0.25, 0.625, 1.0 / 3, 1.0 / 3, 1.0 / 3}, {2, 3}), 1e-15, 0);
  ExpectClose(LogSoftmax(F64({0, std::log(3.0)}, {2})), F64({-std::log(4.0), std::log(0.75)}, {2}), 1e-15, 0);
  ExpectBitEqual(Softmax(Tensor::Scalar(3)), Tensor::Scalar(1));
  ExpectBitEqual(LogSoftmax(Tensor::Scalar(3)), Tensor::Scalar(0));
}

TEST(SoftmaxTest, RowsSumToOne) {
  const Tensor y = Softmax(RandomF32({5, 37}, {1}, -20, 20));
  const Tensor log_y = LogSoftmax(RandomF32({5, 37}, {1}, -20, 20));
  for (int r = 0; r < 5; ++r) {
    double sum = 0, exp_sum = 0;
    for (int c = 0; c < 37; ++c) {
      const float p = y.data<float>()[r * 37 + c];
      EXPECT_TRUE(p >= 0 && p <= 1);
      sum += static_cast<double>(p);
      exp_sum += std::exp(static_cast<double>(log_y.data<float>()[r * 37 + c]));
    }
    EXPECT_NEAR(sum, 1.0, 1e-6);
    EXPECT_NEAR(exp_sum, 1.0, 1e-5);
  }
}

TEST(SoftmaxTest, ShiftInvariant) {
  // float adds these shifts exactly, so the same bits must come out.
  Tensor x = Tensor::Empty({3, 8}), shifted = Tensor::Empty({3, 8});
  const Tensor raw = test::RandomIndices({3, 8}, 1024, {1});
  for (int i = 0; i < 24; ++i) {
    x.mutable_data<float>()[i] = static_cast<float>(raw.data<int32_t>()[i]) / 64;
    shifted.mutable_data<float>()[i] = x.data<float>()[i] + 512;
  }
  ExpectBitEqual(Softmax(shifted), Softmax(x));
  ExpectBitEqual(LogSoftmax(shifted), LogSoftmax(x));
}

TEST(SoftmaxTest, HugeLogitsDoNotOverflow) {
  ExpectBitEqual(Softmax(F32({3e38f, -3e38f, 0}, {3})), F32({1, 0, 0}, {3}));
  ExpectBitEqual(LogSoftmax(F32({1e30f, 0}, {2})), F32({0, -1e30f}, {2}));
  ExpectBitEqual(Softmax(F64({0, -kInf, 0}, {3})), F64({0.5, 0, 0.5}, {3}));
}

TEST(SoftmaxTest, NanSpreadsOverItsRowAlone) {
  const Tensor y = Softmax(F32({1, NAN, 2, 3}, {2, 2}));
  EXPECT_TRUE(std::isnan(y.data<float>()[0]) && std::isnan(y.data<float>()[1]));
  EXPECT_FALSE(std::isnan(y.data<float>()[2]) || std::isnan(y.data<float>()[3]));
}

TEST(SoftmaxTest, Gradients) {
  const auto softmax = [](const auto& in) { return Softmax(in[0]); };
  const auto log_softmax = [](const auto& in) { return LogSoftmax(in[0]); };
  for (const Shape& shape :
       {Shape{}, Shape{1}, Shape{7}, Shape{5, 1}, Shape{3, 11}, Shape{2, 3, 5}, Shape{0, 4}, Shape{4, 0}}) {
    SCOPED_TRACE(ToString(shape));
    const Tensor x = Leaf(RandomF64(shape, {1}, -3, 3));
    EXPECT_TRUE(CheckGradients(softmax, {x}));
    EXPECT_TRUE(CheckGradients(log_softmax, {x}));
  }
  const Tensor large = Leaf(RandomF64({401, 101}, {1}, -3, 3));
  EXPECT_TRUE(CheckGradients(softmax, {large}, {.max_varied = 5}));
  EXPECT_TRUE(CheckGradients(log_softmax, {large}, {.max_varied = 5}));
}

TEST(SoftmaxTest, Errors) {
  EXPECT_THAT([] { Softmax(Tensor()); }, ThrowsMessage<Error>(HasSubstr("Softmax: x is undefined")));
  EXPECT_THAT([] { LogSoftmax(I32({1}, {1})); },
              ThrowsMessage<Error>(HasSubstr("LogSoftmax: x has dtype i32, expected f32 or f64")));
}

}  // namespace
}  // namespace twofour
