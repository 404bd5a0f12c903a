#include "twofour/nn/residual_mlp.h"

#include <fmt/format.h>

#include "twofour/core/ops/arithmetic.h"
#include "twofour/nn/forward_observer.h"
#include "twofour/nn/layers.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/mlp.h"

namespace twofour::nn {
namespace {

/// x + dropout(mlp(norm(x))).
class ResidualBlock : public Module {
 public:
  ResidualBlock(const ResidualMlpOptions& options, Generator& generator)
      : norm_(&RegisterModule("norm", std::make_unique<RmsNorm>(options.width))),
        mlp_(&RegisterModule("mlp", std::make_unique<Mlp>(MlpOptions{.in_features = options.width,
                                                                     .hidden_features = options.hidden_features,
                                                                     .out_features = options.width,
                                                                     .bias = options.bias,
                                                                     .activation = options.activation,
                                                                     .c_proj_init = options.zero_init_projection
                                                                                        ? LinearInit::Zero()
                                                                                        : LinearInit::PyTorchDefault()},
                                                          generator))) {
    if (options.dropout != 0.0) {
      dropout_ = &RegisterModule("dropout", std::make_unique<Dropout>(options.dropout, generator));
    }
  }

  std::string_view type_name() const override { return "ResidualBlock"; }

  Tensor Forward(const Tensor& x) override {
    Tensor branch = (*mlp_)->Forward((*norm_)->Forward(x));
    if (dropout_ != nullptr) branch = (*dropout_)->Forward(branch);
    Tensor y = Add(x, branch);
    ObserveBlock(*this, x, y);
    return y;
  }

 private:
  ModuleSlot *norm_, *mlp_, *dropout_ = nullptr;
};

ResidualMlpOptions CheckedAndResolved(ResidualMlpOptions options) {
  Checked(options, "ResidualMlp: ");
  if (options.hidden_features == 0) options.hidden_features = 4 * options.width;
  return options;
}

}  // namespace

void Check(const ResidualMlpOptions& options, const FieldPath& at, Faults& faults) {
  faults.InRange(at("width"), options.width, 1, kMaxFeatures);
  faults.InRange(at("hidden_features"), options.hidden_features, 0, kMaxFeatures);
  faults.InRange(at("num_blocks"), options.num_blocks, 0, 1000);
  faults.Probability(at("dropout"), options.dropout);
}

ResidualMlp::ResidualMlp(const ResidualMlpOptions& options, Generator& generator)
    : options_(CheckedAndResolved(options)) {
  const auto linear = [&](int64_t in, int64_t out) {
    return std::make_unique<Linear>(LinearOptions{.in_features = in, .out_features = out, .bias = options_.bias},
                                    generator);
  };
  input_ = &RegisterModule("input", linear(options_.in_features, options_.width));
  for (int64_t i = 0; i < options_.num_blocks; ++i) {
    blocks_.push_back(
        &RegisterModule(fmt::format("blocks.{}", i), std::make_unique<ResidualBlock>(options_, generator)));
  }
  norm_ = &RegisterModule("norm", std::make_unique<RmsNorm>(options_.width));
  head_ = &RegisterModule("head", linear(options_.width, options_.out_features));
}

Tensor ResidualMlp::Forward(const Tensor& x) {
  Tensor h = (*input_)->Forward(FromInput(x));
  for (ModuleSlot* block : blocks_) h = (*block)->Forward(h);
  return Logits(**head_, (*norm_)->Forward(h));
}

}  // namespace twofour::nn
