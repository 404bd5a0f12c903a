#include "twofour/nn/mlp.h"

#include "twofour/nn/linear.h"
#include "twofour/nn/semi_sparse_linear.h"
#include "twofour/sparse/mlp.h"

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

Tensor Mlp::Forward(const Tensor& x) {
  if (Tensor y = ForwardFused(x); y.defined()) return y;
  return (*c_proj_)->Forward(Activate(activation_, (*c_fc_)->Forward(x)));
}

Tensor Mlp::ForwardFused(const Tensor& x) {
  auto* const fc = dynamic_cast<SemiSparseLinear*>(c_fc_->get());
  auto* const proj = dynamic_cast<SemiSparseLinear*>(c_proj_->get());
  if (activation_ != Activation::kReluSquared || fc == nullptr || proj == nullptr || !fc->options().fused_mlp ||
      !proj->options().fused_mlp || x.rank() == 0) {
    return {};
  }
  const sparse::SemiSparseLayer fc_layer = fc->Layer(), proj_layer = proj->Layer();
  const sparse::MlpKernel* const kernel = sparse::ChooseMlpKernel(*fc_layer.packed, *proj_layer.packed, x.rows());
  if (kernel == nullptr) return {};
  sparse::SemiSparseMlpReport report;
  Tensor y = sparse::SemiSparseMlp(*kernel, x, fc_layer, proj_layer, &report);
  fc->MeasureInput(x);
  proj->SetInputDensity(report.density);
  return y;
}

}  // namespace twofour::nn
