#pragma once

#include <cstdint>

namespace twofour::kernels {

// Updates of n parameters by their gradients, on all threads. Every array is read and written once. Each operation is
// rounded, so all instruction sets give the same bits.

struct AdamWFactors {
  float beta1, beta2;
  float gain1, gain2;     ///< 1 - beta1 and 1 - beta2.
  float shrink;           ///< Weight decay multiplies a parameter with this.
  float rate;             ///< lr / (1 - beta1^t)
  float root_correction;  ///< 1 / sqrt(1 - beta2^t)
  float eps;
};

/// m = beta1 m + gain1 g;   v = beta2 v + gain2 g g;   p = shrink p - rate m / (sqrt(v) root_correction + eps)
void AdamWUpdate(int64_t n, const AdamWFactors& factors, const float* grad, float* parameter, float* m, float* v);

struct SgdFactors {
  float rate, momentum, weight_decay;
  bool nesterov;
};

/// d = g + weight_decay p;   b = momentum b + d;   p -= rate (nesterov ? d + momentum b : b). A null `buffer` means
/// that there is no momentum: p -= rate d.
void SgdUpdate(int64_t n, const SgdFactors& factors, const float* grad, float* parameter, float* buffer);

}  // namespace twofour::kernels
