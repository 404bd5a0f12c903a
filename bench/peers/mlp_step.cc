#include "bench/peers/mlp_step.h"

#include <fmt/format.h>

#include "bench/peers/fastest.h"
#include "bench/peers/mlp_passes.h"
#include "bench/support/precision.h"

namespace twofour::bench {

PeerMlpStep::PeerMlpStep(const MlpShape& shape, int rounds) : shape_(shape) {
  const int64_t in = shape.in, hidden = shape.hidden, tokens = shape.tokens;
  const bool bf16 = shape.precision == Precision::kBf16;
  const auto product = [&](const char* layer, Op op, int64_t out_features, int64_t in_features, PeerEpilogue epilogue) {
    return Fastest(
        layer, {op, out_features, in_features, tokens, shape.precision, bf16 ? epilogue : PeerEpilogue::kNone}, rounds);
  };
  fc_forward_ = product("c_fc", Op::kForward, hidden, in, PeerEpilogue::kBiasReluSquared);
  fc_input_grad_ = product("c_fc", Op::kInputGrad, hidden, in, PeerEpilogue::kNone);
  fc_weight_grad_ = product("c_fc", Op::kWeightGrad, hidden, in, PeerEpilogue::kNone);
  proj_forward_ = product("c_proj", Op::kForward, in, hidden, PeerEpilogue::kBias);
  proj_input_grad_ = product("c_proj", Op::kInputGrad, in, hidden, PeerEpilogue::kNone);
  proj_weight_grad_ = product("c_proj", Op::kWeightGrad, in, hidden, PeerEpilogue::kNone);

  const DType dtype = ActivationDType(shape.precision);
  if (bf16) {
    fc_weight_ = Tensor::Empty({hidden, in}, dtype);
    proj_weight_ = Tensor::Empty({in, hidden}, dtype);
  } else {
    before_bias_ = Tensor::Empty({tokens, hidden});
  }
  activation_ = Tensor::Empty({tokens, hidden}, dtype);
  hidden_grad_ = Tensor::Empty({tokens, hidden}, dtype);
  y_ = Tensor::Empty({tokens, in}, dtype);
  dx_ = Tensor::Empty({tokens, in}, dtype);
  gradients_ = {Tensor::Empty({hidden, in}), Tensor::Empty({hidden}), Tensor::Empty({in, hidden}), Tensor::Empty({in})};
}

std::unique_ptr<PeerProduct> PeerMlpStep::Fastest(const std::string& layer, const LinearProduct& product, int rounds) {
  const Peer& peer = FastestPeer(product, rounds);
  peers_[fmt::format("{}.{}", layer, NameOf(product.op))] = peer.name;
  return peer.make(product);
}

void PeerMlpStep::Run(const MlpParameters& parameters, const Tensor& x, const Tensor& dy) {
  shape_.precision == Precision::kBf16 ? RunBf16(parameters, x, dy) : RunFp32(parameters, x, dy);
}

void PeerMlpStep::RunFp32(const MlpParameters& parameters, const Tensor& x, const Tensor& dy) {
  const int64_t in = shape_.in, hidden = shape_.hidden, tokens = shape_.tokens;
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

void PeerMlpStep::RunBf16(const MlpParameters& parameters, const Tensor& x, const Tensor& dy) {
  const int64_t in = shape_.in, hidden = shape_.hidden, tokens = shape_.tokens;
  BFloat16 *fc_weight = fc_weight_.mutable_data<BFloat16>(), *proj_weight = proj_weight_.mutable_data<BFloat16>();
  BFloat16 *activation = activation_.mutable_data<BFloat16>(), *hidden_grad = hidden_grad_.mutable_data<BFloat16>();

  RoundToBf16(hidden * in, parameters.c_fc_weight.data<float>(), fc_weight);
  fc_forward_->PrepareWeight(fc_weight);
  fc_forward_->SetBias(parameters.c_fc_bias.data<float>());
  fc_forward_->Multiply(x.raw(), fc_weight, activation);
  RoundToBf16(in * hidden, parameters.c_proj_weight.data<float>(), proj_weight);
  proj_forward_->PrepareWeight(proj_weight);
  proj_forward_->SetBias(parameters.c_proj_bias.data<float>());
  proj_forward_->Multiply(activation, proj_weight, y_.mutable_raw());

  SumColumns(tokens, in, dy.data<BFloat16>(), gradients_.c_proj_bias.mutable_data<float>());
  proj_weight_grad_->Multiply(dy.raw(), activation, gradients_.c_proj_weight.mutable_raw());
  proj_input_grad_->PrepareWeight(proj_weight);
  proj_input_grad_->Multiply(dy.raw(), proj_weight, hidden_grad);
  ReluSquaredBackward(tokens, hidden, activation, hidden_grad, gradients_.c_fc_bias.mutable_data<float>());
  fc_weight_grad_->Multiply(hidden_grad, x.raw(), gradients_.c_fc_weight.mutable_raw());
  fc_input_grad_->PrepareWeight(fc_weight);
  fc_input_grad_->Multiply(hidden_grad, fc_weight, dx_.mutable_raw());
}

}  // namespace twofour::bench
