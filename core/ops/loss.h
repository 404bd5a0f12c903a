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

/// Mean over all elements of (prediction - target)^2, shape []; 0 where there are none. Both have one dtype. Beside a
/// prediction of f16 or bf16, which is widened, the target may also be f32, and the loss is f32.
Tensor MseLoss(const Tensor& prediction, const Tensor& target);

}  // namespace ops
}  // namespace twofour
