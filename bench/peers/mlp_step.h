#pragma once

#include <map>
#include <memory>
#include <string>

#include "twofour/core/tensor.h"

#include "bench/peers/peer.h"

namespace twofour::bench {

struct MlpShape {
  int64_t in = 0, hidden = 0, tokens = 0;
};

/// c_proj(max(c_fc(x), 0)^2) from `in` to `hidden` and back, as nn::Mlp.
struct MlpParameters {
  Tensor c_fc_weight, c_fc_bias;      // [hidden, in], [hidden]
  Tensor c_proj_weight, c_proj_bias;  // [in, hidden], [in]
};

/// A training step of an MLP by dense libraries: each of the six products by the peer that is fastest at it, and
/// passes of our own in between. Buffers are allocated once. What a library does to a weight before it multiplies is
/// done in each step, as weights change from step to step.
class PeerMlpStep {
 public:
  /// Times all peers at all six products, `rounds` times each.
  PeerMlpStep(const MlpShape& shape, int rounds);

  /// Forward with `x` [tokens, in] and backward with `dy` [tokens, in]. The results are overwritten by the next step.
  void Run(const MlpParameters& parameters, const Tensor& x, const Tensor& dy);
  const Tensor& y() const { return y_; }
  const Tensor& dx() const { return dx_; }
  const MlpParameters& gradients() const { return gradients_; }

  /// Which peer computes what: "c_fc.forward" -> "openblas".
  const std::map<std::string, std::string>& peers() const { return peers_; }

 private:
  std::unique_ptr<PeerProduct> Fastest(const std::string& layer, const LinearProduct& product, int rounds);

  MlpShape shape_;
  std::map<std::string, std::string> peers_;
  std::unique_ptr<PeerProduct> fc_forward_, fc_input_grad_, fc_weight_grad_;
  std::unique_ptr<PeerProduct> proj_forward_, proj_input_grad_, proj_weight_grad_;
  Tensor before_bias_;  // c_fc(x) without its bias, which the passes add: one write of this matrix less.
  Tensor activation_, hidden_grad_, y_, dx_;
  MlpParameters gradients_;
};

}  // namespace twofour::bench
