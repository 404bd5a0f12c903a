#pragma once

#include <cstdint>

namespace twofour::kernels {

// Softmax over the last dimension of [rows, cols], shifted by each row's maximum; T is float or
// double, exponentials are summed in double.

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
/// dx = (exp(log_probs) - one-hot of the row's target) * factor; zero in rows whose target is ignore_index.
template <typename T>
void CrossEntropyGrad(int64_t rows, int64_t cols, const T* log_probs, const int32_t* target, int32_t ignore_index,
                      T factor, T* dx);

/// Cross-entropy of capped logits, row by row, each while it is in the cache.
template <typename T>
struct CappedCrossEntropy {
  int64_t rows = 0, cols = 0;
  const int32_t* target = nullptr;
  int32_t ignore_index = 0;
  T soft_cap = 0;  ///< y = soft_cap * tanh(x / soft_cap); 0: y = x.
  bool want_grad = false;
  T factor = 0;  ///< Of the gradient.
  /// Logits x [rows, cols]; the gradient of factor * sum(losses) where it is wanted, and y otherwise, take their place.
  T* logits = nullptr;
  /// [rows]: -log softmax(y)[target], 0 where the target is ignore_index.
  double* losses = nullptr;
};
template <typename T>
void ComputeCappedCrossEntropy(const CappedCrossEntropy<T>& problem);

}  // namespace twofour::kernels
