#pragma once

#include <cstdint>

#include "twofour/core/tensor.h"

namespace twofour {
inline namespace ops {

/// The label that CrossEntropyLoss ignores by default; PyTorch's value.
inline constexpr int32_t kIgnoreIndex = -100;

/// Mean over the rows of -log softmax(logits)[target], shape []. logits are [batch, classes],
/// targets i32 [batch]. Rows whose target is `ignore_index` count neither in the sum nor in the
/// mean; where every row is ignored, or there is none, the loss is 0 (PyTorch: NaN). Logits of f16 or bf16 are widened,
/// and the loss is f32. Throws Error naming a target outside [0, classes).
Tensor CrossEntropyLoss(const Tensor& logits, const Tensor& targets, int32_t ignore_index = kIgnoreIndex);

/// How CrossEntropyLoss weighs classes.
struct CrossEntropyOptions {
  /// The share of each target's weight that goes to all classes alike (Szegedy et al., "Rethinking the Inception
  /// Architecture", 2016): from 0 to 1, 1 excluded.
  double label_smoothing = 0;
  /// f32 or f64 [classes], finite and not negative: rows count by the weight of their target, in the sum and in the
  /// mean. Undefined: all classes weigh 1.
  Tensor class_weights = {};
  int32_t ignore_index = kIgnoreIndex;
};

/// The same with label smoothing e and class weights w, as PyTorch's cross_entropy: the sum over the rows of
/// -(1 - e) w[target] log p[target] - e / classes sum_c w[c] log p[c], divided by the sum of w[target]; 0 if that is 0.
Tensor CrossEntropyLoss(const Tensor& logits, const Tensor& targets, const CrossEntropyOptions& options);

/// Mean over all elements of (prediction - target)^2, shape []; 0 where there are none. Both have one dtype. Beside a
/// prediction of f16 or bf16, which is widened, the target may also be f32, and the loss is f32.
Tensor MseLoss(const Tensor& prediction, const Tensor& target);

/// Mean over all elements of the Huber loss of e = prediction - target, shape []: e^2 / 2 where |e| is at most `delta`,
/// and delta (|e| - delta / 2) beyond (Huber, "Robust Estimation of a Location Parameter", 1964), as PyTorch's
/// huber_loss. 0 where there are no elements. Dtypes are as for MseLoss. Throws Error unless delta is finite and above
/// 0.
Tensor HuberLoss(const Tensor& prediction, const Tensor& target, double delta = 1);

}  // namespace ops
}  // namespace twofour
