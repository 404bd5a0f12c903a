#pragma once

#include "twofour/core/tensor.h"
#include "twofour/sparse/mask.h"

namespace twofour::sparse {

/// A product of two thin matrices that is added to a weight [out_features, in_features]: scale * b a, of rank r at most
/// (Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021).
struct LowRank {
  Tensor a;  ///< [r, in_features]
  Tensor b;  ///< [out_features, r]
  double scale = 1;
};

/// (weight + scale * b a) * mask; a null mask keeps everything. The weight is a constant: the gradient G of the result
/// goes to the factors alone, as scale * (G * mask) a^T to b and scale * b^T (G * mask) to a. All tensors are f32, or
/// all f64. Throws Error on other dtypes and shapes.
Tensor AddLowRank(const Tensor& weight, const LowRank& factors, const Mask* mask = nullptr);

/// A handle on `sum`, the dense result of AddLowRank, with a graph of its own: for several passes that share one
/// computation. Its elements are those of `sum`, but its gradient is that of the masked sum. So it is for products that
/// apply the mask themselves, as MaskedLinear does.
Tensor LowRankHandle(const Tensor& sum, const LowRank& factors, const Mask* mask = nullptr);

}  // namespace twofour::sparse
