#include "tests/support/half_activations.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "tests/support/tensors.h"

namespace twofour::test {
namespace {

Tensor LeafOf(const Tensor& tensor) {
  Tensor leaf = tensor.Clone();
  leaf.set_requires_grad();
  return leaf;
}

/// The result, and the gradients of the activations and of the parameters.
struct Pass {
  Tensor y;
  std::vector<Tensor> activation_grads, parameter_grads;
};

Pass Run(const TensorFunction& op, const std::vector<Tensor>& activations, std::vector<Tensor> parameters,
         const Tensor& dy) {
  std::vector<Tensor> inputs;
  for (const Tensor& activation : activations) inputs.push_back(LeafOf(activation));
  for (Tensor& parameter : parameters) parameter.ZeroGrad();
  Pass pass;
  pass.y = op(inputs);
  pass.y.Backward(dy);
  for (const Tensor& input : inputs) pass.activation_grads.push_back(input.grad());
  for (const Tensor& parameter : parameters) pass.parameter_grads.push_back(parameter.grad());
  return pass;
}

double Norm(const Tensor& tensor) {
  const Tensor values = tensor.To(DType::kF64);
  double squares = 0;
  for (int64_t i = 0; i < values.numel(); ++i) squares += values.data<double>()[i] * values.data<double>()[i];
  return std::sqrt(squares);
}

/// What an op gives on activations of `dtype`, and on the same numbers in f32.
struct TwoPasses {
  TwoPasses(DType dtype, const TensorFunction& op, const std::vector<Shape>& shapes,
            const std::vector<Tensor>& parameters) {
    std::vector<Tensor> activations, f32_activations;
    for (const Shape& shape : shapes) {
      const auto stream = static_cast<uint32_t>(activations.size());
      activations.push_back(RandomF32(shape, {.seed = 71, .stream = stream}).To(dtype));
      f32_activations.push_back(activations.back().To(DType::kF32));
    }
    const Tensor dy = RandomF32(op(activations).shape(), {.seed = 72}).To(dtype);
    narrow = Run(op, activations, parameters, dy);
    f32 = Run(op, f32_activations, parameters, dy.To(DType::kF32));
  }

  Pass narrow, f32;
};

/// Calls expect_rounded(actual, expected) for the result and the gradients of activations, and
/// expect_same(actual, expected) for the gradients of parameters.
template <typename ExpectRounded, typename ExpectSame>
void Compare(const TwoPasses& passes, const ExpectRounded& expect_rounded, const ExpectSame& expect_same) {
  const auto& [narrow, f32] = passes;
  ASSERT_EQ(f32.y.dtype(), DType::kF32);
  expect_rounded(narrow.y.Detach(), f32.y.Detach());
  for (size_t i = 0; i < f32.activation_grads.size(); ++i) {
    SCOPED_TRACE(::testing::Message() << "gradient of activation " << i);
    expect_rounded(narrow.activation_grads[i], f32.activation_grads[i]);
  }
  for (size_t i = 0; i < f32.parameter_grads.size(); ++i) {
    SCOPED_TRACE(::testing::Message() << "gradient of parameter " << i);
    expect_same(narrow.parameter_grads[i], f32.parameter_grads[i]);
  }
}

void ExpectRounds(DType dtype, const TensorFunction& op, const std::vector<Shape>& shapes,
                  const std::vector<Tensor>& parameters) {
  SCOPED_TRACE(std::string(NameOf(dtype)));
  Compare(
      TwoPasses(dtype, op, shapes, parameters),
      [dtype](const Tensor& actual, const Tensor& expected) { ExpectBitEqual(actual, expected.To(dtype)); },
      [](const Tensor& actual, const Tensor& expected) { ExpectBitEqual(actual, expected); });
}

}  // namespace

void ExpectNearInNorm(const Tensor& actual, const Tensor& expected, double share) {
  ASSERT_TRUE(actual.defined());
  ASSERT_EQ(actual.shape(), expected.shape());
  Tensor difference = actual.To(DType::kF64).Clone();
  const Tensor right = expected.To(DType::kF64);
  for (int64_t i = 0; i < right.numel(); ++i) difference.mutable_data<double>()[i] -= right.data<double>()[i];
  EXPECT_LE(Norm(difference), share * Norm(right));
}

void ExpectRoundsWhatF32Gives(const TensorFunction& op, const std::vector<Shape>& shapes,
                              const std::vector<Tensor>& parameters) {
  for (const DType dtype : {DType::kF16, DType::kBF16}) ExpectRounds(dtype, op, shapes, parameters);
}

void ExpectMultipliesAsInF32(const TensorFunction& op, const std::vector<Shape>& shapes,
                             const std::vector<Tensor>& parameters, const Bf16Tolerance& tolerance) {
  ExpectRounds(DType::kF16, op, shapes, parameters);
  SCOPED_TRACE("bf16");
  const auto near = [](DType dtype, double share) {
    return [dtype, share](const Tensor& actual, const Tensor& expected) {
      EXPECT_EQ(actual.dtype(), dtype);
      ExpectNearInNorm(actual, expected, share);
    };
  };
  Compare(TwoPasses(DType::kBF16, op, shapes, parameters), near(DType::kBF16, tolerance.activations),
          near(DType::kF32, tolerance.parameters));
}

void ExpectNearF64(const TensorFunction& narrow, const TensorFunction& f64, const Tensor& x,
                   const std::vector<Tensor>& parameters, double tolerance) {
  std::vector<Tensor> wide_parameters;
  for (const Tensor& parameter : parameters) wide_parameters.push_back(Leaf(parameter));
  const auto with_parameters = [](const TensorFunction& function, const std::vector<Tensor>& all) {
    return [&function, &all](const std::vector<Tensor>& in) {
      std::vector<Tensor> inputs = in;
      inputs.insert(inputs.end(), all.begin(), all.end());
      return function(inputs);
    };
  };
  const auto of_narrow = with_parameters(narrow, parameters), of_wide = with_parameters(f64, wide_parameters);
  const Tensor dy = RandomF32(of_narrow({x}).shape(), {.seed = 73}).To(x.dtype());
  const Pass actual = Run(of_narrow, {x}, parameters, dy);
  const Pass expected = Run(of_wide, {x.To(DType::kF64)}, wide_parameters, dy.To(DType::kF64));
  EXPECT_EQ(actual.y.dtype(), x.dtype());
  ExpectNearInNorm(actual.y.Detach(), expected.y, tolerance);
  EXPECT_EQ(actual.activation_grads[0].dtype(), x.dtype());
  ExpectNearInNorm(actual.activation_grads[0], expected.activation_grads[0], tolerance);
  for (size_t i = 0; i < parameters.size(); ++i) {
    SCOPED_TRACE(::testing::Message() << "gradient of parameter " << i);
    EXPECT_EQ(actual.parameter_grads[i].dtype(), DType::kF32);
    ExpectNearInNorm(actual.parameter_grads[i], expected.parameter_grads[i], tolerance);
  }
}

}  // namespace twofour::test
