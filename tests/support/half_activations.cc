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

void ExpectNear(const Tensor& actual, const Tensor& expected, double tolerance) {
  ASSERT_TRUE(actual.defined());
  ASSERT_EQ(actual.shape(), expected.shape());
  Tensor difference = actual.To(DType::kF64).Clone();
  for (int64_t i = 0; i < expected.numel(); ++i) difference.mutable_data<double>()[i] -= expected.data<double>()[i];
  EXPECT_LE(Norm(difference), tolerance * Norm(expected));
}

}  // namespace

void ExpectRoundsWhatF32Gives(const TensorFunction& op, const std::vector<Shape>& shapes,
                              const std::vector<Tensor>& parameters) {
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    SCOPED_TRACE(std::string(NameOf(dtype)));
    std::vector<Tensor> narrow, wide;
    for (const Shape& shape : shapes) {
      narrow.push_back(RandomF32(shape, {.seed = 71, .stream = static_cast<uint32_t>(narrow.size())}).To(dtype));
      wide.push_back(narrow.back().To(DType::kF32));
    }
    const Tensor dy = RandomF32(op(narrow).shape(), {.seed = 72}).To(dtype);
    const Pass actual = Run(op, narrow, parameters, dy), expected = Run(op, wide, parameters, dy.To(DType::kF32));
    ASSERT_EQ(expected.y.dtype(), DType::kF32);
    ExpectBitEqual(actual.y.Detach(), expected.y.To(dtype));
    for (size_t i = 0; i < shapes.size(); ++i) {
      SCOPED_TRACE(::testing::Message() << "gradient of activation " << i);
      ExpectBitEqual(actual.activation_grads[i], expected.activation_grads[i].To(dtype));
    }
    for (size_t i = 0; i < parameters.size(); ++i) {
      SCOPED_TRACE(::testing::Message() << "gradient of parameter " << i);
      ExpectBitEqual(actual.parameter_grads[i], expected.parameter_grads[i]);
    }
  }
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
  ExpectNear(actual.y.Detach(), expected.y, tolerance);
  EXPECT_EQ(actual.activation_grads[0].dtype(), x.dtype());
  ExpectNear(actual.activation_grads[0], expected.activation_grads[0], tolerance);
  for (size_t i = 0; i < parameters.size(); ++i) {
    SCOPED_TRACE(::testing::Message() << "gradient of parameter " << i);
    EXPECT_EQ(actual.parameter_grads[i].dtype(), DType::kF32);
    ExpectNear(actual.parameter_grads[i], expected.parameter_grads[i], tolerance);
  }
}

}  // namespace twofour::test
