#pragma once

#include <cstdint>

namespace twofour::kernels {

// Activations that use exponentials, over n contiguous elements, on all threads. T is float or double. An output may be
// the same array as an input, but must not overlap one in any other way. A NaN stays a NaN. Relu and its square are in
// elementwise.h.

/// out = x Phi(x), where Phi is the normal distribution function itself and not its tanh approximation
template <typename T>
void Gelu(int64_t n, const T* x, T* out);
template <typename T>
void GeluGrad(int64_t n, const T* x, const T* dy, T* dx);

/// y = cap * tanh(x / cap)
template <typename T>
void SoftCap(int64_t n, T cap, const T* x, T* y);
/// dx = (1 - (y / cap)^2) dy, where y is the output of SoftCap
template <typename T>
void SoftCapGrad(int64_t n, T cap, const T* y, const T* dy, T* dx);

/// out = gate * sigmoid(gate) * up
template <typename T>
void SwiGlu(int64_t n, const T* gate, const T* up, T* out);
/// dgate = sigmoid(gate) (1 + gate (1 - sigmoid(gate))) up dy, dup = gate sigmoid(gate) dy
template <typename T>
void SwiGluGrad(int64_t n, const T* gate, const T* up, const T* dy, T* dgate, T* dup);

}  // namespace twofour::kernels
