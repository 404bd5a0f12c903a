#include "tests/support/gradient_checker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "twofour/core/autograd.h"
#include "twofour/core/check_gradients.h"
#include "twofour/core/error.h"
#include "twofour/core/ops/operators.h"

#include "tests/support/tensors.h"

// The checker must find the faults that it is there for. Each test has one of them.
namespace twofour::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::testing::ThrowsMessage;

/// y = x^2 with the gradient `factor` * x. The right factor is 2.
template <typename T>
Tensor SquareAs(const Tensor& x, double factor) {
  Tensor y = Tensor::Empty(x.shape(), x.dtype());
  for (int64_t i = 0; i < x.numel(); ++i) y.mutable_data<T>()[i] = x.data<T>()[i] * x.data<T>()[i];
  autograd::Record("Square", {x}, y, [saved = x.Detach(), factor](const Tensor& dy) {
    Tensor dx = Tensor::Empty(dy.shape(), dy.dtype());
    for (int64_t i = 0; i < dy.numel(); ++i) {
      dx.mutable_data<T>()[i] = static_cast<T>(factor) * saved.data<T>()[i] * dy.data<T>()[i];
    }
    return std::vector<Tensor>{dx};
  });
  return y;
}

Tensor Square(const Tensor& x, double factor_f64, double factor_f32) {
  return x.dtype() == DType::kF64 ? SquareAs<double>(x, factor_f64) : SquareAs<float>(x, factor_f32);
}

Tensor Input() { return Leaf(F64({0.5, -2.0, 3.0}, {3})); }

TEST(GradientCheckerTest, AcceptsRightGradient) {
  EXPECT_TRUE(CheckGradients([](const auto& in) { return Square(in[0], 2.0, 2.0); }, {Input()}));
}

TEST(GradientCheckerTest, ReportsWrongFactor) {
  const auto result = CheckGradients([](const auto& in) { return Square(in[0], 2.00001, 2.00001); }, {Input()});
  EXPECT_FALSE(result);
  EXPECT_THAT(result.message(), HasSubstr("input 0 [3], element 1: the backward pass gives"));
}

TEST(GradientCheckerTest, ReportsWrongF32Gradient) {
  const auto result = CheckGradients([](const auto& in) { return Square(in[0], 2.0, 2.001); }, {Input()});
  EXPECT_FALSE(result);
  EXPECT_THAT(result.message(), HasSubstr("gradient of input 0 [3], element 0"));
}

TEST(GradientCheckerTest, ReportsWrongF32Output) {
  const auto result = CheckGradients(
      [](const auto& in) {
        Tensor y = Square(in[0], 2.0, 2.0);
        if (y.dtype() == DType::kF32) y.mutable_data<float>()[2] += 0.01f;
        return y;
      },
      {Input()});
  EXPECT_FALSE(result);
  EXPECT_THAT(result.message(), HasSubstr("output [3], element 2: 9.01"));
}

TEST(GradientCheckerTest, ReportsGradientOfASingleElement) {
  // The gradient is wrong at one element of many, so no element may be skipped.
  const auto wrong_at_7 = [](const std::vector<Tensor>& in) {
    Tensor y = in[0].Clone();
    autograd::Record("Copy", {in[0]}, y, [](const Tensor& dy) {
      Tensor dx = dy.Clone();
      if (dx.dtype() == DType::kF64) dx.mutable_data<double>()[7] = 0;
      return std::vector<Tensor>{dx};
    });
    return y;
  };
  EXPECT_FALSE(CheckGradients(wrong_at_7, {Leaf(RandomF64({9}, {1}))}));
}

TEST(GradientCheckerTest, ReportsMissingGradient) {
  const auto result = CheckGradients([](const auto& in) { return Square(in[0], 2.0, 2.0); }, {Input(), Input()});
  EXPECT_FALSE(result);
  EXPECT_THAT(result.message(), HasSubstr("input 1: no f64 gradient"));
}

TEST(GradientCheckerTest, ReportsOutputOutsideTheGraph) {
  const auto result = CheckGradients([](const auto& in) { return Square(in[0], 2.0, 2.0).Detach(); }, {Input()});
  EXPECT_FALSE(result);
  EXPECT_THAT(result.message(), HasSubstr("requires no gradient"));
}

TEST(GradientCheckerTest, ReportsWriteToAnInput) {
  const auto result = CheckGradients(
      [](const auto& in) {
        Tensor x = in[0];
        x.mutable_raw();
        return Square(x, 2.0, 2.0);
      },
      {Input()});
  EXPECT_FALSE(result);
  EXPECT_THAT(result.message(), HasSubstr("an input was written to"));
}

TEST(GradientCheckerTest, ReportsAFunctionThatRemembers) {
  int calls = 0;
  const auto result = CheckGradients(
      [&calls](const auto& in) {
        Tensor y = Square(in[0], 2.0, 2.0);
        if (y.dtype() == DType::kF64) y.mutable_data<double>()[0] += ++calls;
        return y;
      },
      {Input()});
  EXPECT_FALSE(result);
  EXPECT_THAT(result.message(), HasSubstr("the output differs"));
}

TEST(GradientCheckerTest, ReportsNan) {
  EXPECT_FALSE(CheckGradients([](const auto& in) { return Square(in[0], NAN, NAN); }, {Input()}));
}

TEST(GradientCheckerTest, RefusesF32Inputs) {
  Tensor x = F32({1.0f}, {1});
  x.set_requires_grad();
  const auto result = CheckGradients([](const auto& in) { return Square(in[0], 2.0, 2.0); }, {Input(), x});
  EXPECT_FALSE(result);
  EXPECT_STREQ(result.message(), "CheckGradients: input 1 is f32, expected f64");
}

TEST(GradientCheckerTest, RefusesWhatIsNotThere) {
  EXPECT_THAT(CheckGradients(nullptr, {Input()}).message(), HasSubstr("no function"));
  const auto result = CheckGradients([](const auto&) { return Tensor(); }, {Input()});
  EXPECT_FALSE(result);
  EXPECT_STREQ(result.message(), "CheckGradients: 1 fault in the gradients:\n  the output is undefined");
}

TEST(GradientCheckerTest, ShowsTenOfManyFaults) {
  const auto result =
      CheckGradients([](const auto& in) { return Square(in[0], 3.0, 3.0); }, {Leaf(RandomF64({12}, {1}, 1, 2))});
  const std::string message = result.message();
  EXPECT_THAT(message, StartsWith("CheckGradients: 12 faults in the gradients; the first:\n"));
  EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 10);
}

TEST(GradientCheckerTest, RefusesOptionsUnderWhichItChecksNothing) {
  const auto expect = [](const autograd::GradientCheckOptions& options, const std::string& message) {
    const Tensor x = Tensor::Full({2}, 1.0, DType::kF64).set_requires_grad();
    EXPECT_THAT([&] { autograd::CheckGradients([](const auto& in) { return in[0] * 2.0; }, {x}, options); },
                ThrowsMessage<Error>(HasSubstr(message)));
  };
  expect({.step = 0}, "step is 0, expected a finite number above 0");
  expect({.tolerance = INFINITY}, "tolerance is inf, expected a finite number of at least 0");
  expect({.f32_tolerance = -1}, "f32_tolerance is -1, expected a finite number of at least 0");
  expect({.max_varied = 0}, "max_varied is 0, expected at least 1");
}

TEST(GradientCheckerTest, TakesEmptyTensors) {
  EXPECT_TRUE(CheckGradients([](const auto& in) { return Square(in[0], 2.0, 2.0); },
                             {Leaf(Tensor::Empty({0, 3}, DType::kF64))}));
}

TEST(GradientCheckerTest, LeavesInputsAlone) {
  const Tensor x = Input();
  const uint64_t version = x.version();
  EXPECT_TRUE(CheckGradients([](const auto& in) { return Square(in[0], 2.0, 2.0); }, {x}));
  EXPECT_FALSE(x.grad().defined());
  EXPECT_EQ(x.version(), version);
}

}  // namespace
}  // namespace twofour::test
