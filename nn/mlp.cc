#include "twofour/nn/mlp.h"

#include <fmt/format.h>

#include <limits>
#include <utility>

#include "twofour/core/ops/activation.h"
#include "twofour/nn/forward_observer.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/semi_sparse_linear.h"
#include "twofour/sparse/fused_mlp.h"

namespace twofour::nn {

namespace {

/// The hidden activations of an MLP that runs as one op.
class HiddenInput final : public LinearInput {
 public:
  /// `x_shape` is the shape of the MLP's input.
  HiddenInput(const sparse::PanelMatrix& hidden, const Shape& x_shape) : hidden_(hidden), shape_(x_shape) {
    shape_.back() = hidden.features();
  }

  Tensor Values() const override {
    Tensor values = Tensor::Empty(shape_);
    hidden_.CopyTo(values.mutable_data<float>());
    return values;
  }
  double Density() const override { return hidden_.Density(); }

 private:
  const sparse::PanelMatrix& hidden_;
  Shape shape_;
};

/// What masks are like when no stage follows; the op takes transposable ones once they are 2:4.
sparse::MaskFormat LastFormat(const ModuleSlot& sparse_linear) {
  const sparse::MaskPlan& plan = static_cast<const SemiSparseLinear&>(*sparse_linear).options().plan;
  const sparse::MaskFormat format = plan.PatternAt(std::numeric_limits<int64_t>::max());
  return format.kind == sparse::MaskFormat::Kind::kTransposable ? sparse::MaskFormat::TwoOfFour() : format;
}

const Shape& ShapeOf(const ModuleSlot& sparse_linear) {
  return static_cast<const SemiSparseLinear&>(*sparse_linear).weight().shape();
}

}  // namespace

Mlp::Mlp(const MlpOptions& options, Generator& generator) : activation_(options.activation) {
  const auto linear = [&](const char* name, int64_t in, int64_t out, LinearInit init) {
    return &RegisterModule(
        name,
        std::make_unique<Linear>(
            LinearOptions{.in_features = in, .out_features = out, .bias = options.bias, .init = init}, generator));
  };
  if (activation_ == Activation::kSwiGlu) {
    c_gate_ = linear("c_gate", options.in_features, options.hidden_features, options.c_fc_init);
  }
  c_fc_ = linear("c_fc", options.in_features, options.hidden_features, options.c_fc_init);
  c_proj_ = linear("c_proj", options.hidden_features, options.out_features, options.c_proj_init);
}

Tensor Mlp::Forward(const Tensor& x) {
  if (Tensor y = ForwardFused(x); y.defined()) return y;
  Tensor h = (*c_fc_)->Forward(x);
  h = c_gate_ == nullptr ? Activate(activation_, h) : SwiGlu((*c_gate_)->Forward(x), h);
  return (*c_proj_)->Forward(h);
}

const sparse::FusedMlpKernel* Mlp::FusedKernel(int64_t batch, DType activation, std::string* why_not) {
  const auto no = [why_not](std::string reason) {
    if (why_not != nullptr) *why_not = std::move(reason);
    return nullptr;
  };
  if (std::string reason = WhyNotFused(); !reason.empty()) return no(std::move(reason));
  const sparse::MaskFormat fc = LastFormat(*c_fc_), proj = LastFormat(*c_proj_);
  if (fc != proj) return no("its linears have different patterns");
  return sparse::ChooseFusedMlpKernel(ShapeOf(*c_fc_), ShapeOf(*c_proj_), batch, activation, why_not, fc);
}

std::string Mlp::WhyNotFused() const {
  const auto* const fc = dynamic_cast<const SemiSparseLinear*>(c_fc_->get());
  const auto* const proj = dynamic_cast<const SemiSparseLinear*>(c_proj_->get());
  if (fc == nullptr || proj == nullptr) return "not both linears are SemiSparseLinear";
  if (activation_ != Activation::kReluSquared) return fmt::format("its activation is {}", NameOf(activation_));
  if (!fc->options().fused_mlp || !proj->options().fused_mlp) return "turned off";
  if (fc->rounding() != nullptr || proj->rounding() != nullptr) return "their operands are rounded";
  for (const ModuleSlot* const slot : {c_fc_, c_proj_}) {
    const bool applied = static_cast<const SemiSparseLinear&>(**slot).options().apply;
    if (!applied || !sparse::FitsFusedMlp(LastFormat(*slot))) return "its masks are not 2:4 both ways, or not applied";
  }
  return {};
}

Tensor Mlp::ForwardFused(const Tensor& x) {
  if (!x.defined() || x.rank() == 0 || !WhyNotFused().empty()) return {};  // c_fc says what is wrong with x.
  auto& fc = static_cast<SemiSparseLinear&>(**c_fc_);
  auto& proj = static_cast<SemiSparseLinear&>(**c_proj_);
  const sparse::MaskedLinearOperand fc_layer = fc.Layer(), proj_layer = proj.Layer();
  if (fc_layer.packed == nullptr || proj_layer.packed == nullptr) return {};
  const sparse::MaskFormat& format = fc_layer.packed->format();
  if (!sparse::FitsFusedMlp(format) || proj_layer.packed->format() != format) return {};
  const sparse::FusedMlpKernel* const kernel =
      sparse::ChooseFusedMlpKernel(ShapeOf(*c_fc_), ShapeOf(*c_proj_), x.rows(), x.dtype(), nullptr, format);
  if (kernel == nullptr) return {};
  if (!IsForwardObserved()) return sparse::FusedMlp(*kernel, x, fc_layer, proj_layer);
  ObserveLinear(fc, x);
  const auto on_hidden = [&](const sparse::PanelMatrix& hidden) {
    ObserveLinear(proj, HiddenInput(hidden, x.shape()));
  };
  return sparse::FusedMlp(*kernel, x, fc_layer, proj_layer, nullptr, on_hidden);
}

}  // namespace twofour::nn
