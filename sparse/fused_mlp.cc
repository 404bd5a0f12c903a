#include "twofour/sparse/fused_mlp.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/ops/bias_grad.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/ops/in_f32.h"
#include "twofour/sparse/kernels/linear/forced_kernel.h"

namespace twofour::sparse {
namespace {

using autograd::SavedTensor;

void RequireLayer(const char* what, const MaskedLinearOperand& layer, int64_t in) {
  if (layer.packed == nullptr || !FitsFusedMlp(layer.packed->format())) {
    throw Error(fmt::format("FusedMlp: {} has no packed 2:4 or V:N:M weight", what));
  }
  const int64_t out = layer.packed->out_features();
  ops::RequireDType("FusedMlp", what, layer.weight, DType::kF32);
  ops::RequireLike("FusedMlp", what, layer.weight, layer.weight, {out, layer.packed->in_features()});
  if (layer.bias.defined()) ops::RequireLike("FusedMlp", fmt::format("{} bias", what), layer.bias, layer.weight, {out});
  if (layer.packed->in_features() != in) {
    throw Error(
        fmt::format("FusedMlp: {} of shape [{}, {}] on {} features", what, out, layer.packed->in_features(), in));
  }
}

/// One forward pass and what its backward pass needs.
class Pass {
 public:
  Pass(const FusedMlpKernel& kernel, const Tensor& x, const MaskedLinearOperand& fc, const MaskedLinearOperand& proj)
      : kernel_(kernel),
        x_(x),
        fc_{SavedTensor(fc.weight), fc.packed, fc.bias.requires_grad(), fc.weight.requires_grad()},
        proj_{SavedTensor(proj.weight), proj.packed, proj.bias.requires_grad(), proj.weight.requires_grad()},
        needs_x_(x.requires_grad()),
        shape_(x.shape()),
        hidden_(x.rows(), fc.packed->out_features(), kernel.panel, kernel.linear->activation) {}

  Tensor Forward(const Tensor& x, const Tensor& fc_bias, const Tensor& proj_bias) {
    kernel_.hidden(Packed(fc_, Direction::kForward), x.raw(), ops::DataOrNull<float>(fc_bias), hidden_);
    density_ = hidden_.Density();
    Shape shape = shape_;
    shape.back() = proj_.packed->out_features();
    Tensor y = Tensor::Empty(std::move(shape), x.dtype());
    const float* const bias = ops::DataOrNull<float>(proj_bias);
    if (uses_lists()) {
      by_batch_ = kernel_.lists(hidden_, NonZeroLists::Rows::kBatch);
      const Tensor masked = MaskedWeight(proj_);
      kernel_.list_product(*by_batch_,
                           {.data = masked.data<float>(), .ld = masked.cols(), .transposed = true, .is_weight = true},
                           y.cols(), bias, {y.mutable_raw()});
    } else {
      kernel_.product(Packed(proj_, Direction::kForward), hidden_, bias, y.mutable_raw());
    }
    return y;
  }

  /// Gradients of x, c_fc's weight and bias, c_proj's weight and bias.
  std::vector<Tensor> Backward(const Tensor& dy) {
    std::vector<Tensor> grads(5);
    const int64_t in = fc_.packed->in_features(), hidden = fc_.packed->out_features(), out = dy.cols();
    if (proj_.needs_bias) grads[4] = ops::BiasGrad(dy);
    std::unique_ptr<NonZeroLists> by_feature;
    if (proj_.needs_weight) {
      by_feature = kernel_.lists(hidden_, NonZeroLists::Rows::kFeatures);
      grads[3] = Tensor::Empty({out, hidden});
      kernel_.list_product(*by_feature, {.data = dy.raw(), .ld = out}, out, nullptr,
                           {grads[3].mutable_data<float>(), /*is_weight=*/true, /*transposed=*/true});
    }
    if (!needs_x_ && !fc_.needs_weight && !fc_.needs_bias) return grads;

    Tensor bias_grad = Tensor::Empty({hidden});
    if (density_ <= FusedMlpKernel::ShareFor(proj_.packed->format(), kernel_.sample_density)) {
      kernel_.sampled_hidden_grad(proj_.weight.Get().data<float>(), proj_.packed->mask().view(), dy.raw(), hidden_,
                                  bias_grad.mutable_data<float>());
    } else {
      kernel_.hidden_grad(Packed(proj_, Direction::kInputGrad), dy.raw(), hidden_, bias_grad.mutable_data<float>());
    }
    if (fc_.needs_bias) grads[2] = bias_grad;
    if (fc_.needs_weight) {
      by_feature = by_feature ? kernel_.other_values(hidden_, *by_feature)
                              : kernel_.lists(hidden_, NonZeroLists::Rows::kFeatures);
      grads[1] = Tensor::Empty({hidden, in});
      kernel_.list_product(*by_feature, {.data = x_.Get().raw(), .ld = in}, in, nullptr,
                           {grads[1].mutable_data<float>(), /*is_weight=*/true});
    }
    by_feature = nullptr;
    if (needs_x_) {
      grads[0] = Tensor::Empty(shape_, dy.dtype());
      if (uses_lists()) {
        by_batch_ = kernel_.other_values(hidden_, *by_batch_);
        const Tensor masked = MaskedWeight(fc_);
        kernel_.list_product(*by_batch_, {.data = masked.data<float>(), .ld = in, .is_weight = true}, in, nullptr,
                             {grads[0].mutable_raw()});
      } else {
        kernel_.product(Packed(fc_, Direction::kInputGrad), hidden_, nullptr, grads[0].mutable_raw());
      }
    }
    return grads;
  }

  double density() const { return density_; }
  const PanelMatrix& hidden() const { return hidden_; }
  bool uses_lists() const { return density_ <= FusedMlpKernel::ShareFor(proj_.packed->format(), kernel_.list_density); }

 private:
  struct Layer {
    SavedTensor weight;
    std::shared_ptr<const SemiSparseWeight> packed;
    bool needs_bias, needs_weight;
  };

  const PackedWeight& Packed(const Layer& layer, Direction direction) const {
    layer.weight.Get();  // Throws if the weight was written to since the forward pass.
    return layer.packed->Packed(kernel_.LinearFor(layer.packed->format()), direction);
  }

  static Tensor MaskedWeight(const Layer& layer) { return ApplyMask(layer.weight.Get(), layer.packed->mask()); }

  const FusedMlpKernel& kernel_;
  SavedTensor x_;
  Layer fc_, proj_;
  bool needs_x_;
  Shape shape_;
  PanelMatrix hidden_;  // relu(c_fc(x))^2. The backward pass overwrites it with the gradient before the activation.
  double density_ = 1;
  std::unique_ptr<NonZeroLists> by_batch_;
};

/// The first kernel of the table for which is(kernel) holds, or null.
template <typename Is>
const FusedMlpKernel* FindMlpKernel(const Is& is) {
  const std::span<const FusedMlpKernel> kernels = FusedMlpKernels();
  const auto found = std::find_if(kernels.begin(), kernels.end(), is);
  return found == kernels.end() ? nullptr : &*found;
}

/// The kernel that TWOFOUR_KERNEL names, or null.
const FusedMlpKernel* ForcedMlpKernel() {
  if (ForcedKernels().empty()) return nullptr;
  return FindMlpKernel([](const FusedMlpKernel& kernel) { return IsForced(kernel.name); });
}

}  // namespace

bool FitsFusedMlp(const MaskFormat& format) { return IsTwoOfFour(format) || format.kind == MaskFormat::Kind::kVnm; }

const FusedMlpKernel* ChooseFusedMlpKernel(const Shape& fc, const Shape& proj, int64_t batch, DType activation,
                                           std::string* why_not, const MaskFormat& format) {
  if (const FusedMlpKernel* const forced = ForcedMlpKernel()) {
    // Activations of 16 bits are widened for a kernel that takes f32.
    const DType own = forced->linear->activation, taken = GoesWith(activation, own) ? own : activation;
    for (const Shape* weight : {&fc, &proj}) {
      const LinearProblem problem = {.out_features = (*weight)[0],
                                     .in_features = (*weight)[1],
                                     .batch = batch,
                                     .format = format,
                                     .input = taken,
                                     .output = taken};
      const LinearKernel& linear = forced->LinearFor(format);
      const Verdict verdict = Check(linear, problem);
      if (verdict.can()) continue;
      throw Error(fmt::format("TWOFOUR_KERNEL={}: {}", forced->name, InWords(verdict, linear, problem)));
    }
    return forced;
  }
  // On narrower layers, padding the lists' panels of columns costs what the lists save. To measure it, run
  // `bench_mlp --in N --hidden H` for an N below this, with and without TWOFOUR_KERNEL=fused_mlp_ISA, which takes the
  // kernel at any width. ISA is the `isa` that the program prints.
  constexpr int64_t kNarrowest = 128;
  if (std::min(fc[1], proj[0]) < kNarrowest) {
    if (why_not != nullptr) {
      *why_not = fmt::format("pays from {} features on, here {}", kNarrowest, std::min(fc[1], proj[0]));
    }
    return nullptr;
  }
  const FusedMlpKernel* common = nullptr;
  for (const Shape* weight : {&fc, &proj}) {
    for (Direction direction : {Direction::kForward, Direction::kInputGrad}) {
      const LinearProblem problem = {.out_features = (*weight)[0],
                                     .in_features = (*weight)[1],
                                     .batch = batch,
                                     .direction = direction,
                                     .format = format,
                                     .input = activation,
                                     .output = activation};
      const LinearKernel* const linear = ChooseLinearKernel(problem).kernel;
      const FusedMlpKernel* const with_it =
          FindMlpKernel([&](const FusedMlpKernel& kernel) { return &kernel.LinearFor(format) == linear; });
      if (common == nullptr) common = with_it;
      if (with_it == nullptr || with_it != common) {
        if (why_not != nullptr) {
          *why_not = fmt::format("{} with {} runs on {} ({})", NameOf(direction), ToString(*weight), linear->name,
                                 ExplainLinearKernel(problem));
        }
        return nullptr;
      }
    }
  }
  return common;
}

Tensor FusedMlp(const FusedMlpKernel& kernel, const Tensor& x, const MaskedLinearOperand& fc,
                const MaskedLinearOperand& proj, FusedMlpReport* report,
                const std::function<void(const PanelMatrix& hidden)>& on_hidden) {
  if (!x.defined()) throw Error("FusedMlp: x is undefined, expected f32, f16 or bf16 [..., in_features]");
  if (!GoesWith(x.dtype(), DType::kF32) || x.rank() == 0) {
    throw Error(fmt::format("FusedMlp: x {}, expected f32, f16 or bf16 [..., in_features]", Describe(x)));
  }
  const DType taken = kernel.linear->activation;
  if (x.dtype() != taken && taken != DType::kF32) {
    throw Error(fmt::format("FusedMlp: x {}, expected {}, which {} takes", Describe(x), NameOf(taken), kernel.name));
  }
  if (x.dtype() != taken) {
    return ops::InF32([&](const Tensor& wide) { return FusedMlp(kernel, wide, fc, proj, report, on_hidden); }, x);
  }
  RequireLayer("c_fc", fc, x.cols());
  RequireLayer("c_proj", proj, fc.packed->out_features());
  auto pass = std::make_shared<Pass>(kernel, x, fc, proj);
  Tensor y = pass->Forward(x, fc.bias, proj.bias);
  if (on_hidden) on_hidden(pass->hidden());
  if (report != nullptr) *report = {pass->density(), pass->uses_lists()};
  autograd::Record("FusedMlp", {x, fc.weight, fc.bias, proj.weight, proj.bias}, y,
                   [pass](const Tensor& dy) { return pass->Backward(dy); });
  return y;
}

}  // namespace twofour::sparse
