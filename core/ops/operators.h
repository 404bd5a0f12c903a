#pragma once

#include "twofour/core/tensor.h"

namespace twofour {
inline namespace ops {

// Signs for the ops of arithmetic.h: `x * weight + bias`, `1.0 - mask`, `-x`. A number takes the dtype of the tensor
// beside it. Beside f16 and bf16 it is a float, and only the result is rounded.

Tensor operator+(const Tensor& a, const Tensor& b);
Tensor operator-(const Tensor& a, const Tensor& b);
Tensor operator*(const Tensor& a, const Tensor& b);
Tensor operator/(const Tensor& a, const Tensor& b);
Tensor operator-(const Tensor& x);

Tensor operator+(const Tensor& x, double number);
Tensor operator+(double number, const Tensor& x);
Tensor operator-(const Tensor& x, double number);
Tensor operator-(double number, const Tensor& x);
Tensor operator*(const Tensor& x, double number);
Tensor operator*(double number, const Tensor& x);
Tensor operator/(const Tensor& x, double number);
Tensor operator/(double number, const Tensor& x);

}  // namespace ops
}  // namespace twofour
