#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "twofour/nn/module.h"
#include "twofour/sparse/inference_weight.h"

namespace twofour::nn {

/// A linear for inference whose weight is packed: y = x W^T + b. It has no parameters, and no gradient goes through it.
/// For few rows of x it is faster than a dense linear by about what it saves in bytes: see sparse::InferenceWeight.
class SparseLinear : public Module {
 public:
  /// `bias` is f32 [out_features] or undefined. Throws Error on another bias, and on a null weight.
  SparseLinear(std::shared_ptr<const sparse::InferenceWeight> weight, Tensor bias = {});

  std::string_view type_name() const override { return "SparseLinear"; }
  /// The weight with zeros in place and the bias, so that a state dict of a packed model holds its weights. A packed
  /// model cannot be loaded into.
  std::vector<NamedTensor> Buffers() override;
  /// x [..., in_features], f32, f16 or bf16; result [..., out_features] of the same dtype. Throws Error where a
  /// gradient of x is asked for.
  Tensor Forward(const Tensor& x) override;

  const sparse::InferenceWeight& weight() const { return *weight_; }
  const Tensor& bias() const { return bias_; }
  int64_t in_features() const { return weight_->cols(); }
  int64_t out_features() const { return weight_->rows(); }

 private:
  std::shared_ptr<const sparse::InferenceWeight> weight_;
  Tensor bias_;
};

}  // namespace twofour::nn
