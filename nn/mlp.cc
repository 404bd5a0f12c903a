#include "twofour/nn/mlp.h"

#include "twofour/nn/linear.h"

namespace twofour::nn {

Mlp::Mlp(const MlpOptions& options, Generator& generator) : activation_(options.activation) {
  c_fc_ = &RegisterModule("c_fc", std::make_unique<Linear>(LinearOptions{.in_features = options.in_features,
                                                                         .out_features = options.hidden_features,
                                                                         .bias = options.bias},
                                                           generator));
  c_proj_ = &RegisterModule("c_proj", std::make_unique<Linear>(LinearOptions{.in_features = options.hidden_features,
                                                                             .out_features = options.out_features,
                                                                             .bias = options.bias,
                                                                             .init = options.c_proj_init},
                                                               generator));
}

Tensor Mlp::Forward(const Tensor& x) { return (*c_proj_)->Forward(Activate(activation_, (*c_fc_)->Forward(x))); }

}  // namespace twofour::nn
