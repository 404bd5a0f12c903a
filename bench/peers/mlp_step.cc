#include "bench/peers/mlp_step.h"

#include <fmt/format.h>

#include "bench/peers/fastest.h"
#include "bench/peers/mlp_passes.h"

namespace twofour::bench {

PeerMlpStep::PeerMlpStep(const MlpShape& shape, int rounds) : shape_(shape) {
  const int64_t in = shape.in, hidden = shape.hidden, tokens = shape.tokens;
  const auto fc = [&](Op op) { return Fastest("c_fc", {op, hidden, in, tokens}, rounds); };
  const auto proj = [&](Op op) { return Fastest("c_proj", {op, in, hidden, tokens}, rounds); };
  fc_forward_ = fc(Op::kForward);
  fc_input_grad_ = fc(Op::kInputGrad);
  fc_weight_grad_ = fc(Op::kWeightGrad);
  proj_forward_ = proj(Op::kForward);
  proj_input_grad_ = proj(Op::kInputGrad);
  proj_weight_grad_ = proj(Op::kWeightGrad);

  before_bias_ = Tensor::Empty({tokens, hidden});
  activation_ = Tensor::Empty({tokens, hidden});
  hidden_grad_ = Tensor::Empty({tokens, hidden});
  y_ = Tensor::Empty({tokens, in});
  dx_ = Tensor::Empty({tokens, in});
  gradients_ = {Tensor::Empty({hidden, in}), Tensor::Empty({hidden}), Tensor::Empty({in, hidden}), Tensor::Empty({in})};
}

std::unique_ptr<PeerProduct> PeerMlpStep::Fastest(const std::string& layer, const LinearProduct& product, int rounds) {
  const Peer& peer = FastestPeer(product, rounds);
  peers_[fmt::format("{}.{}", layer, NameOf(product.op))] = peer.name;
  return peer.make(product);
}

void PeerMlpStep::Run(const MlpParameters& parameters, const Tensor& x, const Tensor& dy) {
  const auto& [in, hidden, tokens] = shape_;
  const float *fc_weight = parameters.c_fc_weight.data<float>(), *fc_bias = parameters.c_fc_bias.data<float>();
  const float* proj_weight = parameters.c_proj_weight.data<float>();
  float *before_bias = before_bias_.mutable_data<float>(), *activation = activation_.mutable_data<float>();
  float *hidden_grad = hidden_grad_.mutable_data<float>(), *y = y_.mutable_data<float>();

  fc_forward_->PrepareWeight(fc_weight);
  fc_forward_->Multiply(x.data<float>(), fc_weight, before_bias);
  AddBiasReluSquared(tokens, hidden, before_bias, fc_bias, activation);
  proj_forward_->PrepareWeight(proj_weight);
  proj_forward_->Multiply(activation, proj_weight, y);
  AddBias(tokens, in, parameters.c_proj_bias.data<float>(), y);

  SumColumns(tokens, in, dy.data<float>(), gradients_.c_proj_bias.mutable_data<float>());
  proj_weight_grad_->Multiply(dy.data<float>(), activation, gradients_.c_proj_weight.mutable_data<float>());
  proj_input_grad_->PrepareWeight(proj_weight);
  proj_input_grad_->Multiply(dy.data<float>(), proj_weight, hidden_grad);
  ReluSquaredBackward(tokens, hidden, before_bias, fc_bias, hidden_grad, gradients_.c_fc_bias.mutable_data<float>());
  fc_weight_grad_->Multiply(hidden_grad, x.data<float>(), gradients_.c_fc_weight.mutable_data<float>());
  fc_input_grad_->PrepareWeight(fc_weight);
  fc_input_grad_->Multiply(hidden_grad, fc_weight, dx_.mutable_data<float>());
}

}  // namespace twofour::bench
