#pragma once

#include <vector>

#include "twofour/core/tensor.h"

#include "tests/support/gradient_checker.h"

namespace twofour::test {

/// Fails the test unless the norm of actual - expected is at most `share` of the norm of `expected`.
void ExpectNearInNorm(const Tensor& actual, const Tensor& expected, double share);

/// Runs an op on activations of f16 and of bf16, with these shapes, and again on the same numbers in f32. The result
/// and the activations' gradients must be those of f32, rounded, and have the activations' dtype. The gradients of
/// `parameters`, leaves in f32, must be the same to the bit. Numbers are drawn from [-1, 1).
void ExpectRoundsWhatF32Gives(const TensorFunction& op, const std::vector<Shape>& activations,
                              const std::vector<Tensor>& parameters = {});

/// The same for an op that multiplies matrices. On f16 it must round what f32 gives. In products of bf16 all operands
/// are rounded to bf16, f32 parameters included, and additions may have another order. So on bf16, the norm of a
/// difference must be at most a share of the norm of what f32 gives: `activations` for the result and the activations'
/// gradients, `parameters` for the gradients of parameters. Rounding random numbers to bf16 changes them by 0.4 * 2^-8.
struct Bf16Tolerance {
  double activations, parameters;
};
void ExpectMultipliesAsInF32(const TensorFunction& op, const std::vector<Shape>& activations,
                             const std::vector<Tensor>& parameters, const Bf16Tolerance& tolerance);

/// The tolerance of one product: two operands and the result are rounded, and the gradient of a weight is not rounded.
inline constexpr Bf16Tolerance kOneBf16Product = {0x1p-8, 0x1p-20};
/// The tolerance of an MLP: two products, one after the other, of which one is squared.
inline constexpr Bf16Tolerance kBf16Mlp = {0x1p-7, 0x1p-7};

/// Runs a function on an activation of `dtype` and on the same numbers in f64, of which it gets all parameters as well,
/// and compares the result and all gradients. The norm of a difference must be at most `tolerance` times that of what
/// is right. The function gets the activation, then the parameters.
void ExpectNearF64(const TensorFunction& narrow, const TensorFunction& f64, const Tensor& x,
                   const std::vector<Tensor>& parameters, double tolerance);

}  // namespace twofour::test
