#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "twofour/core/faults.h"
#include "twofour/core/random.h"
#include "twofour/nn/semi_sparse_linear.h"
#include "twofour/sparse/low_rank.h"

namespace twofour::nn {

struct LoraOptions {
  int64_t rank = 8;
  double alpha = 16;  ///< The adapter is scaled by alpha / rank.
  double scale() const { return alpha / static_cast<double>(rank); }
};

/// Rules: the rank is positive, and alpha is above 0 and finite in f32.
void Check(const LoraOptions& options, const FieldPath& at, Faults& faults);

/// A SemiSparseLinear whose weight and bias are frozen, and to whose weight a trained low-rank adapter is added before
/// it is masked: W' = (W + alpha / rank * B A) * mask (Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models",
/// 2021; under masks: Zhao et al., "Beyond 2:4: Exploring V:N:M Sparsity for Efficient Transformer Inference on GPUs",
/// 2024). Masks are found for W + alpha / rank * B A. Parameters are those of the linear and, under PEFT's names,
/// `lora_A.weight` [rank, in_features] and `lora_B.weight` [out_features, rank]. A starts as PEFT's does, uniform in
/// +-1/sqrt(in_features), and B at zero, so that the layer starts with its weight.
///
/// Products and the gradient of the input use the kernels of the masked weight. The gradients of A and B go through the
/// mask. They need the dense gradient of the weight, so a step costs as much as one that trains the weight, but the
/// optimizer keeps state only for A and B.
class LoraLinear : public SemiSparseLinear {
 public:
  /// Takes over the parameters of a linear, which no longer require a gradient. A is drawn for `key`. Throws Error as
  /// SemiSparseLinear does, on options that Check finds fault with, on a soft threshold, on a score that needs
  /// gradients of the weight, and on a rank above the smaller side of the weight.
  LoraLinear(Tensor weight, Tensor bias, const SemiSparseOptions& sparsity, const LoraOptions& lora,
             const RandomKey& key, std::string name = "weight");

  std::string_view type_name() const override { return "LoraLinear"; }

  const Tensor& lora_a() const { return factors_.a; }
  const Tensor& lora_b() const { return factors_.b; }
  double scale() const { return factors_.scale; }

  /// Adds the adapter to the weight and sets B to zero, so that the layer computes what it computed before. A stays:
  /// then the gradient of B does not change, and an optimizer's moments of it stay good. Must run alone, as an
  /// optimizer's step.
  void Merge();

 protected:
  Tensor DenseWeight() override;
  Tensor WeightInGraph(const sparse::Mask* mask) override;

 private:
  sparse::LowRank factors_;
  Tensor sum_;  // weight + scale * B A, as of these versions.
  uint64_t weight_version_ = 0, a_version_ = 0, b_version_ = 0;
};

}  // namespace twofour::nn
