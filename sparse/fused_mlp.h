#pragma once

#include <functional>
#include <memory>
#include <string>

#include "twofour/core/tensor.h"
#include "twofour/sparse/kernels/fused_mlp/fused_mlp_kernel.h"
#include "twofour/sparse/semi_sparse_weight.h"

namespace twofour::sparse {

/// A linear of a FusedMlp: its dense f32 master weight [out_features, in_features], its bias [out_features] or
/// undefined, and the weight's masked form.
struct MaskedLinearOperand {
  Tensor weight, bias;
  std::shared_ptr<const SemiSparseWeight> packed;
};

/// What a FusedMlp chose, for those who want to know.
struct FusedMlpReport {
  double density = 1;       ///< Share of hidden activations that were not zero.
  bool uses_lists = false;  ///< Whether c_proj's forward and c_fc's input gradient go by the non-zeros.
};

/// The kernel with which an MLP of two weights, [out_features, in_features] each, can be computed as one op on `batch`
/// rows, or null and in `why_not` (if not null) the reason: all four products with its weights must be pair-bucket's
/// (see ChooseLinearKernel), and inputs and outputs wide enough for it to pay. Or the one that TWOFOUR_KERNEL names,
/// whatever else it names. Throws Error as ChooseLinearKernel does, and where the named one cannot take the shapes.
const FusedMlpKernel* ChooseFusedMlpKernel(const Shape& fc, const Shape& proj, int64_t batch,
                                           std::string* why_not = nullptr);

/// c_proj(relu(c_fc(x))^2) as one op, x [..., in_features], with `kernel` from ChooseFusedMlpKernel: equal within
/// rounding to MaskedLinear, ReluSquared, MaskedLinear, in fewer passes over memory. The hidden activations stay in the
/// sparse kernels' own layout, and their exact zeros are made use of: always in both weight gradients, and where there
/// are enough of them in c_proj's forward and c_fc's input gradient as well, with masked weights that are dense then.
/// Weight gradients are dense (straight-through estimator), as in MaskedLinear. x is f32; one of f16 or bf16 is
/// widened, and only the result and the gradient of x are rounded: the hidden activations stay f32.
///
/// `on_hidden`, if not empty, is called once with the hidden activations.
Tensor FusedMlp(const FusedMlpKernel& kernel, const Tensor& x, const MaskedLinearOperand& fc,
                const MaskedLinearOperand& proj, FusedMlpReport* report = nullptr,
                const std::function<void(const PanelMatrix& hidden)>& on_hidden = {});

}  // namespace twofour::sparse
