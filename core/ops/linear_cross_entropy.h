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
/// memory: x [..., features], weight [classes, features], targets i32 with one element for each row of x. An x of f16
/// or bf16 is widened, so the logits and the loss are f32, and only the gradient of x is rounded. Gradients are
/// computed in the forward pass while a chunk's logits are there, so what is kept for the backward pass is as large as
/// x and weight (Hsu et al., "Liger Kernel", 2024). Throws Error as CrossEntropyLoss does, and for options below 0.
Tensor LinearCrossEntropy(const Tensor& x, const Tensor& weight, const Tensor& targets,
                          const LinearCrossEntropyOptions& options = {});

}  // namespace ops
}  // namespace twofour
