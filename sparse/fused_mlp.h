#pragma once

#include <functional>
#include <memory>
#include <string>

#include "twofour/core/tensor.h"
#include "twofour/sparse/kernels/fused_mlp/fused_mlp_kernel.h"
#include "twofour/sparse/semi_sparse_weight.h"

namespace twofour::sparse {

/// One linear of a FusedMlp: its dense f32 master weight [out_features, in_features], its bias [out_features] or
/// undefined, and the weight's masked form.
struct MaskedLinearOperand {
  Tensor weight, bias;
  std::shared_ptr<const SemiSparseWeight> packed;
};

/// What FusedMlp measured and chose.
struct FusedMlpReport {
  double density = 1;       ///< Share of hidden activations that were not zero.
  bool uses_lists = false;  ///< Whether c_proj's forward and c_fc's input gradient use lists of the non-zeros.
};

/// Whether weights of this format can be those of a FusedMlp: 2:4 both ways, or V:N:M of transposable tiles.
bool FitsFusedMlp(const MaskFormat& format);

/// The kernel that computes an MLP of two weights, [out_features, in_features] each, as one op on `batch` rows of dtype
/// `activation`. If TWOFOUR_KERNEL names such a kernel, it is that one. Otherwise all four products with the weights
/// must run on its linear kernel for the format (see ChooseLinearKernel), and inputs and outputs must be wide enough
/// for it to pay. If not, returns null and writes the reason to `why_not` (if that is not null). Throws Error as
/// ChooseLinearKernel does, and if the named kernel cannot take the shapes or the dtype.
const FusedMlpKernel* ChooseFusedMlpKernel(const Shape& fc, const Shape& proj, int64_t batch,
                                           DType activation = DType::kF32, std::string* why_not = nullptr,
                                           const MaskFormat& format = MaskFormat::TwoOfFour());

/// c_proj(relu(c_fc(x))^2) as one op, for x [..., in_features] and a `kernel` from ChooseFusedMlpKernel. Within
/// rounding, it equals MaskedLinear, ReluSquared, MaskedLinear, but makes fewer passes over memory. The hidden
/// activations stay in the sparse kernels' own layout, and their exact zeros are skipped: always in both weight
/// gradients, and, if there are enough of them, in c_proj's forward and c_fc's input gradient too (these then multiply
/// with the masked weights in dense form). A gradient of y that is not finite therefore does not reach weights through
/// hidden activations that are zero. Weight gradients are dense (straight-through estimator), as in MaskedLinear.
/// x is f32, f16 or bf16. If the kernel takes bf16, x must be bf16, and the hidden activations and their gradients are,
/// too. A kernel that takes f32 gets an x of 16 bits widened: only the result and the gradient of x are then rounded.
///
/// `on_hidden`, if not empty, is called once with the hidden activations.
Tensor FusedMlp(const FusedMlpKernel& kernel, const Tensor& x, const MaskedLinearOperand& fc,
                const MaskedLinearOperand& proj, FusedMlpReport* report = nullptr,
                const std::function<void(const PanelMatrix& hidden)>& on_hidden = {});

}  // namespace twofour::sparse
