#pragma once

#include <memory>
#include <optional>

#include "twofour/core/dtype.h"
#include "twofour/core/faults.h"
#include "twofour/core/number_format.h"
#include "twofour/core/random.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/semi_sparse_weight.h"

namespace twofour::sparse {

/// To which formats the operands of a linear's three products are rounded: y = x W^T, dx = dy W and dW = dy^T x. Each
/// operand is rounded along the axis that its product adds up, as processors with such products want it: so scales of
/// rows belong to tokens or channels, and those of blocks to neighbours in a sum. Of a masked weight only the kept
/// entries are rounded, so that a block has as many of them as it has elements.
struct LinearFormats {
  NumberFormat weight, activation, gradient;
  /// Rotates both operands of dW by one random Hadamard transform in blocks of 16 tokens, which their product does not
  /// change, before they are rounded.
  bool hadamard = false;

  friend bool operator==(const LinearFormats&, const LinearFormats&) = default;
};

/// Rules: those of the three formats.
void Check(const LinearFormats& formats, const FieldPath& at, Faults& faults);

/// A weight, rounded for both products that read it.
class RoundedWeight {
 public:
  /// `weight` is f32 [out_features, in_features]; the numbers of a masked one are those that `packed` was made of.
  /// `packed` is null for a whole weight. The key is for stochastic rounding: two streams from its own one on.
  RoundedWeight(const Tensor& weight, const SemiSparseWeight* packed, const NumberFormat& format, const RandomKey& key);

  int64_t out_features() const { return out_features_; }
  int64_t in_features() const { return in_features_; }

  /// The sums of x W^T, x [tokens, in_features], before scales: f32, or of x's dtype where the weight is masked.
  Tensor Forward(const Tensor& x) const;
  /// The same of dy W, dy [tokens, out_features].
  Tensor InputGrad(const Tensor& dy) const;
  /// What these sums are to be multiplied with: f32 [1], or one for each column of the result.
  const Tensor& forward_scales() const { return forward_scales_; }
  const Tensor& input_grad_scales() const { return input_grad_scales_; }

 private:
  int64_t out_features_, in_features_;
  Tensor forward_, input_grad_;  // bf16 [out_features, in_features] and its transpose, of a whole weight.
  std::unique_ptr<const SemiSparseWeight> packed_forward_, packed_input_grad_;
  Tensor forward_scales_, input_grad_scales_;
};

/// x W^T + bias as MaskedLinear or ops::Linear computes it, but from operands that are rounded (fake quantisation), so
/// that training with a format can be studied without a processor for it. Sums are those of bf16: products of rounded
/// numbers are exact, and add up in f32. Scales are applied to the sums in f32, then the bias is added, then the result
/// is rounded to its dtype. With a masked weight and bf16, sums are also rounded to bf16 before their scales, which
/// changes nothing where scales are powers of two.
///
/// `weight` [out_features, in_features] gets the dense gradient (straight-through estimator); it is what `rounded` was
/// made of, or the master weight of that. x is f32 or bf16 [..., in_features]. `result` is by default the dtype of x.
/// `key`: for stochastic rounding and the rotation, five streams from its own one on; its step must differ from pass to
/// pass.
Tensor RoundedLinear(const Tensor& x, const Tensor& weight, const Tensor& bias,
                     std::shared_ptr<const RoundedWeight> rounded, const LinearFormats& formats, const RandomKey& key,
                     std::optional<DType> result = std::nullopt);

}  // namespace twofour::sparse
