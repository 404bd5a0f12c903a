#pragma once

#include <map>
#include <memory>
#include <string>

#include "twofour/core/tensor.h"

#include "bench/peers/peer.h"

namespace twofour::bench {

struct MlpShape {
  int64_t in = 0, hidden = 0, tokens = 0;
  Precision precision = Precision::kFp32;
};

/// The parameters of c_proj(max(c_fc(x), 0)^2), from `in` to `hidden` and back, as in nn::Mlp.
struct MlpParameters {
  Tensor c_fc_weight, c_fc_bias;      // [hidden, in], [hidden]
  Tensor c_proj_weight, c_proj_bias;  // [in, hidden], [in]
};

/// A training step of an MLP with dense libraries. The fastest peer computes each of the six products, and passes of
/// our own run in between. Buffers are allocated once. If a library prepares a weight before it multiplies, it does so
/// in each step, because weights change from step to step. In bf16 each step also rounds the f32 weights, once for both
/// directions.
class PeerMlpStep {
 public:
  /// Times all peers at all six products, in `rounds` rounds. There must be peers for the precision.
  PeerMlpStep(const MlpShape& shape, int rounds);

  /// Runs forward with `x` [tokens, in] and backward with `dy` [tokens, in], which are activations of the precision.
  /// The next step overwrites the results.
  void Run(const MlpParameters& parameters, const Tensor& x, const Tensor& dy);
  const Tensor& y() const { return y_; }
  const Tensor& dx() const { return dx_; }
  const MlpParameters& gradients() const { return gradients_; }

  /// Which peer computes which product: "c_fc.forward" -> "openblas".
  const std::map<std::string, std::string>& peers() const { return peers_; }

 private:
  std::unique_ptr<PeerProduct> Fastest(const std::string& layer, const LinearProduct& product, int rounds);
  void RunFp32(const MlpParameters& parameters, const Tensor& x, const Tensor& dy);
  void RunBf16(const MlpParameters& parameters, const Tensor& x, const Tensor& dy);

  MlpShape shape_;
  std::map<std::string, std::string> peers_;
  std::unique_ptr<PeerProduct> fc_forward_, fc_input_grad_, fc_weight_grad_;
  std::unique_ptr<PeerProduct> proj_forward_, proj_input_grad_, proj_weight_grad_;
  Tensor before_bias_;  // fp32: c_fc(x) without its bias. The passes add the bias, which saves one write of it.
  Tensor fc_weight_, proj_weight_;  // bf16: the rounded weights.
  Tensor activation_, hidden_grad_, y_, dx_;
  MlpParameters gradients_;
};

}  // namespace twofour::bench
