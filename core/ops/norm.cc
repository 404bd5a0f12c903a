#include "twofour/core/ops/norm.h"

#include "twofour/core/autograd.h"
#include "twofour/core/kernels/rows/norm.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/ops/in_f32.h"

namespace twofour {
inline namespace ops {
namespace {

using autograd::SavedTensor;
using ops::DataOrNull;
using ops::MutableDataOrNull;

Tensor EmptyIf(bool wanted, Shape shape, DType dtype) {
  return wanted ? Tensor::Empty(std::move(shape), dtype) : Tensor();
}

}  // namespace

Tensor RmsNorm(const Tensor& x, const Tensor& weight, double eps) {
  ops::RequireFloating("RmsNorm", "x", x);
  if (IsHalf(x.dtype())) return ops::InF32([&](const Tensor& wide) { return RmsNorm(wide, weight, eps); }, x);
  const int64_t rows = x.rows(), cols = x.cols();
  if (weight.defined()) ops::RequireLike("RmsNorm", "weight", weight, x, {cols});
  Tensor y = Tensor::Empty(x.shape(), x.dtype()), inverse_rms = Tensor::Empty({rows}, x.dtype());
  DispatchF32OrF64(x.dtype(), "RmsNorm", [&](auto zero) {
    using T = decltype(zero);
    kernels::RmsNorm<T>(rows, cols, eps, x.data<T>(), DataOrNull<T>(weight), y.mutable_data<T>(),
                        inverse_rms.mutable_data<T>());
  });
  autograd::Record("RmsNorm", {x, weight}, y,
                   [rows, cols, inverse_rms, sx = SavedTensor(x), sw = SavedTensor(weight), need_x = x.requires_grad(),
                    need_w = weight.requires_grad()](const Tensor& dy) {
                     Tensor dx = EmptyIf(need_x, dy.shape(), dy.dtype()), dw = EmptyIf(need_w, {cols}, dy.dtype());
                     DispatchF32OrF64(dy.dtype(), "RmsNorm", [&](auto zero) {
                       using T = decltype(zero);
                       kernels::RmsNormGrad<T>(rows, cols, sx.Get().data<T>(), DataOrNull<T>(sw.Get()),
                                               inverse_rms.data<T>(), dy.data<T>(), MutableDataOrNull<T>(dx),
                                               MutableDataOrNull<T>(dw));
                     });
                     return std::vector<Tensor>{dx, dw};
                   });
  return y;
}

Tensor LayerNorm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  ops::RequireFloating("LayerNorm", "x", x);
  if (IsHalf(x.dtype())) return ops::InF32([&](const Tensor& wide) { return LayerNorm(wide, weight, bias, eps); }, x);
  const int64_t rows = x.rows(), cols = x.cols();
  if (weight.defined()) ops::RequireLike("LayerNorm", "weight", weight, x, {cols});
  if (bias.defined()) ops::RequireLike("LayerNorm", "bias", bias, x, {cols});
  Tensor y = Tensor::Empty(x.shape(), x.dtype());
  Tensor mean = Tensor::Empty({rows}, x.dtype()), inverse_std = Tensor::Empty({rows}, x.dtype());
  DispatchF32OrF64(x.dtype(), "LayerNorm", [&](auto zero) {
    using T = decltype(zero);
    kernels::LayerNorm<T>(rows, cols, eps, x.data<T>(), DataOrNull<T>(weight), DataOrNull<T>(bias), y.mutable_data<T>(),
                          mean.mutable_data<T>(), inverse_std.mutable_data<T>());
  });
  autograd::Record(
      "LayerNorm", {x, weight, bias}, y,
      [rows, cols, mean, inverse_std, sx = SavedTensor(x), sw = SavedTensor(weight), need_x = x.requires_grad(),
       need_w = weight.requires_grad(), need_b = bias.requires_grad()](const Tensor& dy) {
        Tensor dx = EmptyIf(need_x, dy.shape(), dy.dtype()), dw = EmptyIf(need_w, {cols}, dy.dtype());
        Tensor db = EmptyIf(need_b, {cols}, dy.dtype());
        DispatchF32OrF64(dy.dtype(), "LayerNorm", [&](auto zero) {
          using T = decltype(zero);
          kernels::LayerNormGrad<T>(rows, cols, sx.Get().data<T>(), DataOrNull<T>(sw.Get()), mean.data<T>(),
                                    inverse_std.data<T>(), dy.data<T>(), MutableDataOrNull<T>(dx),
                                    MutableDataOrNull<T>(dw), MutableDataOrNull<T>(db));
        });
        return std::vector<Tensor>{dx, dw, db};
      });
  return y;
}

}  // namespace ops
}  // namespace twofour
