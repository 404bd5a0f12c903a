#pragma once

#include "twofour/core/ops.h"
#include "twofour/nn/semi_sparse_linear.h"

#include "tests/support/tensors.h"

namespace twofour::test {

inline constexpr int64_t kOut = 8, kIn = 16;

inline nn::SemiSparseLinear MakeLayer(const nn::SemiSparseOptions& options, uint64_t seed = 1) {
  return nn::SemiSparseLinear(RandomF32({kOut, kIn}, {.seed = seed}), RandomF32({kOut}, {.seed = 2}), options, "w");
}

/// Changes a layer as an optimizer's step `step` does. Afterwards the layer is at step + 1.
inline void Update(nn::SemiSparseLinear& layer, int64_t step, int writes = 1) {
  Tensor weight = layer.weight();
  for (int i = 0; i < writes; ++i) FillUniform(weight, -1, 1, {.seed = 99, .step = static_cast<uint64_t>(step)});
  layer.SetOptimizerStep(step + 1);
}

/// A soft threshold on groups of four.
inline nn::SemiSparseOptions SoftOptions() {
  return {.plan = sparse::MaskPlan({.method = sparse::MaskMethod::kRows}), .soft_threshold = true};
}

}  // namespace twofour::test
