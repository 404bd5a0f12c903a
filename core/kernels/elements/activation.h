#pragma once

#include <cstdint>

namespace twofour::kernels {

// Activations made of exponentials, over n contiguous elements, threaded; T is float or double. Outputs may be the same
// array as an input, and must not overlap it otherwise. A NaN stays a NaN. (Relu and its square: elementwise.h.)

/// out = x Phi(x) with the normal distribution's Phi (no tanh approximation)
template <typename T>
void Gelu(int64_t n, const T* x, T* out);
template <typename T>
void GeluGrad(int64_t n, const T* x, const T* dy, T* dx);

/// y = cap * tanh(x / cap)
template <typename T>
void SoftCap(int64_t n, T cap, const T* x, T* y);
/// dx = (1 - (y / cap)^2) dy from the cap's output y
template <typename T>
void SoftCapGrad(int64_t n, T cap, const T* y, const T* dy, T* dx);

/// out = gate * sigmoid(gate) * up
template <typename T>
void SwiGlu(int64_t n, const T* gate, const T* up, T* out);
/// dgate = sigmoid(gate) (1 + gate (1 - sigmoid(gate))) up dy, dup = gate sigmoid(gate) dy
template <typename T>
void SwiGluGrad(int64_t n, const T* gate, const T* up, const T* dy, T* dgate, T* dup);

}  // namespace twofour::kernels
