#include "tests/support/gradient_checker.h"

#include "twofour/core/error.h"

namespace twofour::test {

::testing::AssertionResult CheckGradients(const TensorFunction& function, const std::vector<Tensor>& inputs,
                                          const GradientCheckOptions& options) {
  try {
    autograd::CheckGradients(function, inputs, options);
  } catch (const Error& error) {
    return ::testing::AssertionFailure() << error.what();
  }
  return ::testing::AssertionSuccess();
}

Tensor Leaf(const Tensor& tensor) {
  Tensor leaf = tensor.To(DType::kF64).Clone();
  leaf.set_requires_grad();
  return leaf;
}

}  // namespace twofour::test
