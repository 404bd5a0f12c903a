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
  if (x.dtype() == DType::kF16) return ops::InF32([&](const Tensor& wide) { return RmsNorm(wide, weight, eps); }, x);
  const int64_t rows = x.rows(), cols = x.cols();
  const DType wide = ComputeDType(x.dtype());
  if (weight.defined()) ops::RequireLike("RmsNorm", "weight", weight, wide, {cols});
  Tensor y = Tensor::Empty(x.shape(), x.dtype()), inverse_rms = Tensor::Empty({rows}, wide);
  DispatchF32F64OrBF16(x.dtype(), "RmsNorm", [&](auto zero) {
    using T = decltype(zero);
    using W = ComputeType<T>;
    kernels::RmsNorm<T>(rows, cols, eps, x.data<T>(), DataOrNull<W>(weight), y.mutable_data<T>(),
                        inverse_rms.mutable_data<W>());
  });
  autograd::Record("RmsNorm", {x, weight}, y,
                   [rows, cols, wide, inverse_rms, sx = SavedTensor(x), sw = SavedTensor(weight),
                    need_x = x.requires_grad(), need_w = weight.requires_grad()](const Tensor& dy) {
                     Tensor dx = EmptyIf(need_x, dy.shape(), dy.dtype()), dw = EmptyIf(need_w, {cols}, wide);
                     DispatchF32F64OrBF16(dy.dtype(), "RmsNorm", [&](auto zero) {
                       using T = decltype(zero);
                       using W = ComputeType<T>;
                       kernels::RmsNormGrad<T>(rows, cols, sx.Get().data<T>(), DataOrNull<W>(sw.Get()),
                                               inverse_rms.data<W>(), dy.data<T>(), MutableDataOrNull<T>(dx),
                                               MutableDataOrNull<W>(dw));
                     });
                     return std::vector<Tensor>{dx, dw};
                   });
  return y;
}

Tensor LayerNorm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  ops::RequireFloating("LayerNorm", "x", x);
  if (x.dtype() == DType::kF16)
    return ops::InF32([&](const Tensor& wide) { return LayerNorm(wide, weight, bias, eps); }, x);
  const int64_t rows = x.rows(), cols = x.cols();
  const DType wide = ComputeDType(x.dtype());
  if (weight.defined()) ops::RequireLike("LayerNorm", "weight", weight, wide, {cols});
  if (bias.defined()) ops::RequireLike("LayerNorm", "bias", bias, wide, {cols});
  Tensor y = Tensor::Empty(x.shape(), x.dtype());
  Tensor mean = Tensor::Empty({rows}, wide), inverse_std = Tensor::Empty({rows}, wide);
  DispatchF32F64OrBF16(x.dtype(), "LayerNorm", [&](auto zero) {
    using T = decltype(zero);
    using W = ComputeType<T>;
    kernels::LayerNorm<T>(rows, cols, eps, x.data<T>(), DataOrNull<W>(weight), DataOrNull<W>(bias), y.mutable_data<T>(),
                          mean.mutable_data<W>(), inverse_std.mutable_data<W>());
  });
  autograd::Record(
      "LayerNorm", {x, weight, bias}, y,
      [rows, cols, wide, mean, inverse_std, sx = SavedTensor(x), sw = SavedTensor(weight), need_x = x.requires_grad(),
       need_w = weight.requires_grad(), need_b = bias.requires_grad()](const Tensor& dy) {
        Tensor dx = EmptyIf(need_x, dy.shape(), dy.dtype()), dw = EmptyIf(need_w, {cols}, wide);
        Tensor db = EmptyIf(need_b, {cols}, wide);
        DispatchF32F64OrBF16(dy.dtype(), "LayerNorm", [&](auto zero) {
          using T = decltype(zero);
          using W = ComputeType<T>;
          kernels::LayerNormGrad<T>(rows, cols, sx.Get().data<T>(), DataOrNull<W>(sw.Get()), mean.data<W>(),
                                    inverse_std.data<W>(), dy.data<T>(), MutableDataOrNull<T>(dx),
                                    MutableDataOrNull<W>(dw), MutableDataOrNull<W>(db));
        });
        return std::vector<Tensor>{dx, dw, db};
      });
  return y;
}

}  // namespace ops
}  // namespace twofour
