#pragma once

#include <vector>

#include "twofour/core/tensor.h"

#include "tests/support/gradient_checker.h"

namespace twofour::test {

/// Runs an op on activations of f16 and of bf16, with these shapes, and again on the same numbers in f32. The result
/// and the activations' gradients must be those of f32, rounded, and have the activations' dtype. The gradients of
/// `parameters`, leaves in f32, must be the same to the bit. Numbers are drawn from [-1, 1).
void ExpectRoundsWhatF32Gives(const TensorFunction& op, const std::vector<Shape>& activations,
                              const std::vector<Tensor>& parameters = {});

/// Runs a function on an activation of `dtype` and on the same numbers in f64, of which it gets all parameters as well,
/// and compares the result and all gradients. The norm of a difference must be at most `tolerance` times that of what
/// is right. `function` gets the activation, then the parameters.
void ExpectNearF64(const TensorFunction& narrow, const TensorFunction& f64, const Tensor& x,
                   const std::vector<Tensor>& parameters, double tolerance);

}  // namespace twofour::test
