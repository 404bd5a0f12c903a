#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "twofour/core/check_gradients.h"
#include "twofour/core/tensor.h"

namespace twofour::test {

using autograd::GradientCheckOptions;
using autograd::TensorFunction;

/// autograd::CheckGradients for EXPECT_TRUE. Fails with the Error's text where that throws.
[[nodiscard]] ::testing::AssertionResult CheckGradients(const TensorFunction& function,
                                                        const std::vector<Tensor>& inputs,
                                                        const GradientCheckOptions& options = {});

/// A new f64 leaf with the same elements, which requires a gradient.
Tensor Leaf(const Tensor& tensor);

}  // namespace twofour::test
