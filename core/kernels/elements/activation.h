#pragma once

#include <cstdint>

#include "twofour/core/dtype.h"

namespace twofour::kernels {

// Activations and functions with exponentials or logarithms, over n contiguous elements, on all threads. T is float,
// double or BFloat16. Elements of BFloat16 are computed with as floats, and each result is rounded once. An output may
// be the same array as an input, but must not overlap one in any other way. A NaN stays a NaN. Relu and its square are
// in elementwise.h.

/// out = exp(x)
template <typename T>
void Exp(int64_t n, const T* x, T* out);
/// out = the natural logarithm of x: -infinity for 0, and a NaN for a negative x
template <typename T>
void Log(int64_t n, const T* x, T* out);
/// out = 1 / (1 + exp(-x))
template <typename T>
void Sigmoid(int64_t n, const T* x, T* out);
/// dx = sigmoid(x) (1 - sigmoid(x)) dy
template <typename T>
void SigmoidGrad(int64_t n, const T* x, const T* dy, T* dx);

/// out = x Phi(x), where Phi is the normal distribution function itself and not its tanh approximation
template <typename T>
void Gelu(int64_t n, const T* x, T* out);
template <typename T>
void GeluGrad(int64_t n, const T* x, const T* dy, T* dx);

/// out = x sigmoid(2u), u = sqrt(2 / pi) (x + 0.044715 x^3): that approximation
template <typename T>
void GeluTanh(int64_t n, const T* x, T* out);
template <typename T>
void GeluTanhGrad(int64_t n, const T* x, const T* dy, T* dx);

/// y = cap * tanh(x / cap)
template <typename T>
void SoftCap(int64_t n, ComputeType<T> cap, const T* x, T* y);
/// dx = (1 - (y / cap)^2) dy, where y is the output of SoftCap. T is float or double. A rounded y would not do: if it
/// is near the cap, the difference may consist of rounding errors alone.
template <typename T>
void SoftCapGrad(int64_t n, T cap, const T* y, const T* dy, T* dx);
/// The same from the input x of SoftCap.
void SoftCapGradOfInput(int64_t n, float cap, const BFloat16* x, const BFloat16* dy, BFloat16* dx);

/// out = gate * sigmoid(gate) * up
template <typename T>
void SwiGlu(int64_t n, const T* gate, const T* up, T* out);
/// dgate = sigmoid(gate) (1 + gate (1 - sigmoid(gate))) up dy, dup = gate sigmoid(gate) dy
template <typename T>
void SwiGluGrad(int64_t n, const T* gate, const T* up, const T* dy, T* dgate, T* dup);

}  // namespace twofour::kernels
