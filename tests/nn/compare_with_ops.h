#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "twofour/nn/module.h"

#include "tests/support/gradient_checker.h"
#include "tests/support/tensors.h"

namespace twofour::test {

/// Compares an f32 module with the same computation composed of core ops. `function` gets x and then the module's
/// parameters in the order of NamedParameters(). It runs in f64, where its gradients are compared with central
/// differences. The module's output and all its gradients must agree with it.
inline void ExpectComputes(nn::Module& module, const Tensor& x, const TensorFunction& function) {
  std::vector<Tensor> inputs{Leaf(x)};
  for (const Tensor& parameter : module.Parameters()) inputs.push_back(Leaf(parameter));
  EXPECT_TRUE(CheckGradients(function, inputs));

  const Tensor expected = function(inputs);
  const Tensor upstream = RandomF32(expected.shape(), {.seed = 1234});
  expected.Backward(upstream.To(DType::kF64));

  Tensor x32 = x.Clone();
  x32.set_requires_grad();
  for (Tensor& parameter : module.Parameters()) parameter.ZeroGrad();
  const Tensor y = module.Forward(x32);
  y.Backward(upstream);
  ExpectClose(y, expected.To(DType::kF32), 1e-4, 1e-5);
  ExpectClose(x32.grad(), inputs[0].grad().To(DType::kF32), 1e-4, 1e-5);
  const std::vector<NamedTensor> parameters = module.NamedParameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    SCOPED_TRACE(parameters[i].name);
    ExpectClose(parameters[i].tensor.grad(), inputs[i + 1].grad().To(DType::kF32), 1e-4, 1e-5);
  }
}

}  // namespace twofour::test
