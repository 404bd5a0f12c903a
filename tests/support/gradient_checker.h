#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "twofour/core/tensor.h"

namespace twofour::test {

struct GradientCheckOptions {
  double step = 1e-5;  ///< Of the central differences.
  /// |backward - differences| <= tolerance (1 + |differences|), in double.
  double tolerance = 1e-6;
  /// |f32 - f64| <= f32_tolerance (1 + |f64|), for the output and all gradients.
  double f32_tolerance = 1e-4;
  /// At most so many elements of each input, evenly spread, are varied; gradients are compared in
  /// f32 and f64 whole.
  int64_t max_varied = 1000;
};

/// What is checked: a function of tensors. It must get every floating tensor through its argument,
/// for it is run in f64 and in f32, and must give the same result each time.
using TensorFunction = std::function<Tensor(const std::vector<Tensor>&)>;

/// Holds the backward pass of `function` against central differences, the manner of Caffe's
/// GradientChecker. `inputs` are f64, or integers, which are passed on as they are; those that
/// require a gradient are checked. The output is contracted with fixed random weights into a scalar,
/// and every element of every gradient is compared with the difference quotient in double. Then
/// everything runs again in f32, and output and gradients are compared with those in f64.
///
/// Also a failure: a gradient for an input that wants none, or none for one that does; an op that
/// writes to its inputs; another result under NoGradGuard.
///
///     EXPECT_TRUE(CheckGradients([](const auto& in) { return Mul(in[0], in[1]); }, {a, b}));
[[nodiscard]] ::testing::AssertionResult CheckGradients(const TensorFunction& function,
                                                        const std::vector<Tensor>& inputs,
                                                        const GradientCheckOptions& options = {});

/// A fresh f64 leaf with the same elements that requires a gradient.
Tensor Leaf(const Tensor& tensor);

}  // namespace twofour::test
