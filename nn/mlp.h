#pragma once

#include <string>

#include "twofour/core/random.h"
#include "twofour/nn/activation.h"
#include "twofour/nn/init.h"
#include "twofour/nn/module.h"
#include "twofour/sparse/kernels/fused_mlp/fused_mlp_kernel.h"

namespace twofour::nn {

struct MlpOptions {
  int64_t in_features = 0;
  int64_t hidden_features = 0;
  int64_t out_features = 0;
  bool bias = true;
  Activation activation = Activation::kReluSquared;
  LinearInit c_fc_init = LinearInit::PyTorchDefault();  ///< Also for c_gate.
  LinearInit c_proj_init = LinearInit::PyTorchDefault();
};

/// The two-layer MLP of a transformer block: c_proj(activation(c_fc(x))) for x [..., in_features]. With kSwiGlu it is
/// c_proj(silu(c_gate(x)) * c_fc(x)). With ReLU^2 between two SemiSparseLinear it runs as one op if that is faster
/// (SemiSparseOptions::fused_mlp).
class Mlp : public Module {
 public:
  Mlp(const MlpOptions& options, Generator& generator);
  std::string_view type_name() const override { return "Mlp"; }
  Tensor Forward(const Tensor& x) override;

  /// The kernel that computes `batch` rows of dtype `activation` as one op. Null if they are computed linear by linear;
  /// then `why_not` (if not null) says why.
  const sparse::FusedMlpKernel* FusedKernel(int64_t batch, DType activation = DType::kF32,
                                            std::string* why_not = nullptr);

  /// The second linear. Its input is the hidden activations.
  const Module& c_proj() const { return **c_proj_; }

 private:
  /// Why the two linears are not computed as one op, whatever the batch; empty if they may be.
  std::string WhyNotFused() const;
  /// Forward as one op if the two linears allow it; undefined otherwise.
  Tensor ForwardFused(const Tensor& x);

  Activation activation_;
  ModuleSlot *c_gate_ = nullptr, *c_fc_, *c_proj_;
};

}  // namespace twofour::nn
