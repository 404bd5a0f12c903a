#pragma once

// Small layers that no swap pass touches.
#include <atomic>
#include <memory>

#include "twofour/core/random.h"
#include "twofour/nn/module.h"

namespace twofour::nn {

/// Root-mean-square normalisation over the last dimension, with a learned `weight` [features] that starts at one,
/// unless `weight` is false.
class RmsNorm : public Module {
 public:
  explicit RmsNorm(int64_t features, double eps = 1e-6, bool weight = true);
  std::string_view type_name() const override { return "RmsNorm"; }
  Tensor Forward(const Tensor& x) override;

 private:
  Tensor weight_;
  double eps_;
};

/// Layer normalisation over the last dimension, with a learned `weight` [features] that starts at one and, unless
/// `bias` is false, a learned `bias` [features] that starts at zero.
class LayerNorm : public Module {
 public:
  explicit LayerNorm(int64_t features, double eps = 1e-5, bool bias = true);
  std::string_view type_name() const override { return "LayerNorm"; }
  Tensor Forward(const Tensor& x) override;

 private:
  Tensor weight_, bias_;
  double eps_;
};

/// The norms that a transformer can have.
enum class NormKind {
  kRms,          ///< RmsNorm without a weight.
  kWeightedRms,  ///< RmsNorm.
  kLayer,        ///< LayerNorm with a bias.
};

std::unique_ptr<Module> MakeNorm(NormKind kind, int64_t features, double eps);

/// Looks up rows of `weight` [entries, features] by i32 index. The weight starts normal, by default standard normal as
/// in PyTorch.
class Embedding : public Module {
 public:
  Embedding(int64_t entries, int64_t features, Generator& generator, double std = 1.0);
  std::string_view type_name() const override { return "Embedding"; }
  /// indices i32 of any shape; result [..., features].
  Tensor Forward(const Tensor& indices) override;

 private:
  Tensor weight_;
};

/// Zeroes elements with probability p while training; the identity in evaluation. Which elements are zeroed depends on
/// the generator's seed, this layer and the step (Module::SetStep, or else the number of passes so far). Passes of
/// several threads at once each count as one, in no fixed order.
class Dropout : public Module {
 public:
  Dropout(double p, Generator& generator);
  std::string_view type_name() const override { return "Dropout"; }
  Tensor Forward(const Tensor& x) override;

 protected:
  void OnStep(uint64_t step) override;

 private:
  double p_;
  RandomKey key_;
  std::atomic<uint64_t> step_;  // The step of the next pass.
};

}  // namespace twofour::nn
