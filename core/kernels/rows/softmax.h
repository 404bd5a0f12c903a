#pragma once

#include <cstdint>

#include "twofour/core/half.h"

namespace twofour::kernels {

// Softmax over the last dimension of [rows, cols]. Each row is shifted by its maximum first. T is float or double, and
// exponentials are summed in double.

template <typename T>
void Softmax(int64_t rows, int64_t cols, const T* x, T* y);
/// dx from the softmax's output y.
template <typename T>
void SoftmaxGrad(int64_t rows, int64_t cols, const T* y, const T* dy, T* dx);
template <typename T>
void LogSoftmax(int64_t rows, int64_t cols, const T* x, T* y);
/// dx from the log-softmax's output y.
template <typename T>
void LogSoftmaxGrad(int64_t rows, int64_t cols, const T* y, const T* dy, T* dx);
/// dx = (exp(log_probs) - one_hot(target)) * factor; zero in rows whose target is ignore_index.
template <typename T>
void CrossEntropyGrad(int64_t rows, int64_t cols, const T* log_probs, const int32_t* target, int32_t ignore_index,
                      T factor, T* dx);

/// The cross-entropy of capped logits. Each row is finished while it is in the cache. The gradient of a row has the
/// type G, which is T, or BFloat16 beside logits of float. Then it is the gradient in float, rounded once.
template <typename T, typename G = T>
struct CappedCrossEntropy {
  int64_t rows = 0, cols = 0;
  const int32_t* target = nullptr;
  int32_t ignore_index = 0;
  T soft_cap = 0;       ///< y = soft_cap * tanh(x / soft_cap), or y = x if this is 0.
  T factor = 0;         ///< Multiplies the gradient.
  T* logits = nullptr;  ///< x [rows, cols]. They are overwritten with y.
  /// Where the gradient of factor * sum(losses) goes, [rows, cols]. Null if it is not wanted. May be `logits`.
  G* gradient = nullptr;
  /// [rows]: -log softmax(y)[target], or 0 if the target is ignore_index.
  double* losses = nullptr;
};
template <typename T, typename G>
void ComputeCappedCrossEntropy(const CappedCrossEntropy<T, G>& problem);

}  // namespace twofour::kernels
