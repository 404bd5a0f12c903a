#pragma once

#include <cstdint>

#include "twofour/core/ops/loss.h"
#include "twofour/core/tensor.h"

namespace twofour {
inline namespace ops {

struct LinearCrossEntropyOptions {
  double soft_cap = 0;  ///< logits = soft_cap * tanh(logits / soft_cap); 0: none.
  int32_t ignore_index = kIgnoreIndex;
  int64_t chunk_rows = 0;  ///< How many rows' logits are held at once at most; 0: chosen by the number of classes.
};

/// CrossEntropyLoss(SoftCap(Linear(x, weight)), targets), shape [], with never more than a chunk of the logits in
/// memory: x [..., features], weight [classes, features], targets i32 with one element for each row of x. Beside an x
/// of f16 or bf16, the logits, the loss and the gradient of the weight are f32, and the gradient of x is rounded.
/// Gradients are computed in the forward pass while a chunk's logits are there, so what is kept for the backward pass
/// is as large as x and weight (Hsu et al., "Liger Kernel", 2024). Throws Error as CrossEntropyLoss does, and for
/// options below 0.
///
/// An x of f16 is widened. With bf16, the weight w and the gradient g of the logits are rounded to bf16 before they are
/// multiplied. So beside what f32 gives with the rounded weight, an element of weight's gradient, sum g x, is off by at
/// most 2^-8 sum |g x|, and an element of x's, sum g w, by 2^-8 sum |g w|, before it is rounded. If the loss is scaled
/// before Backward(), the scaled gradient of x is rounded again.
Tensor LinearCrossEntropy(const Tensor& x, const Tensor& weight, const Tensor& targets,
                          const LinearCrossEntropyOptions& options = {});

}  // namespace ops
}  // namespace twofour
