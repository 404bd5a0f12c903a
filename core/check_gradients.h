#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "twofour/core/tensor.h"

namespace twofour::autograd {

struct GradientCheckOptions {
  double step = 1e-5;  ///< The step of the central differences.
  /// |backward - differences| <= tolerance (1 + |differences|), in double.
  double tolerance = 1e-6;
  /// |f32 - f64| <= f32_tolerance (1 + |f64|), for the output and all gradients.
  double f32_tolerance = 1e-4;
  /// The most elements of each input that are varied; they are evenly spread. All gradients are compared in f32 and
  /// f64.
  int64_t max_varied = 1000;
};

/// The function that is checked. It must get every floating tensor through its argument, because it is run in f64 and
/// in f32, and must give the same result each time.
using TensorFunction = std::function<Tensor(const std::vector<Tensor>&)>;

/// Compares the backward pass of `function` with central differences, like Caffe's GradientChecker and PyTorch's
/// gradcheck. `inputs` are f64, or integers, which are passed on unchanged. The inputs that require a gradient are
/// checked. Fixed random weights reduce the output to a scalar, and the elements of every gradient (see max_varied) are
/// compared with the difference quotient in double. Then everything runs again in f32, and output and gradients are
/// compared with those in f64.
///
/// Throws Error that says what is wrong, with the first ten elements that are. It is also a fault if an input gets a
/// gradient that it does not require, or lacks one that it requires, if an op writes to its inputs, or if the result is
/// another one under NoGradGuard. Errors of `function` pass through.
///
///     autograd::CheckGradients([](const auto& in) { return Mul(in[0], in[1]); }, {a, b});
void CheckGradients(const TensorFunction& function, const std::vector<Tensor>& inputs,
                    const GradientCheckOptions& options = {});

}  // namespace twofour::autograd
