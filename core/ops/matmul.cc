#include "twofour/core/ops/matmul.h"

#include <fmt/format.h>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/ops/bias_grad.h"
#include "twofour/core/ops/cast.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/ops/product.h"

namespace twofour {
inline namespace ops {

using autograd::SavedTensor;
using kernels::Transpose;
using ops::Product;

Tensor MatMul(const Tensor& a, const Tensor& b) {
  ops::RequireF32OrF64("MatMul", "a", a);
  ops::RequireF32OrF64("MatMul", "b", b);
  if (a.rank() != 2 || b.rank() != 2 || a.dim(1) != b.dim(0) || a.dtype() != b.dtype()) {
    throw Error(
        fmt::format("MatMul: a {} and b {}, expected [m, k] and [k, n] of one dtype", Describe(a), Describe(b)));
  }
  const int64_t m = a.dim(0), k = a.dim(1), n = b.dim(1);
  Tensor out = Product(Transpose::kNo, Transpose::kNo, m, n, k, a, b, {m, n}, a.dtype());
  autograd::Record("MatMul", {a, b}, out,
                   [m, n, k, sa = SavedTensor(a), sb = SavedTensor(b), need_a = a.requires_grad(),
                    need_b = b.requires_grad()](const Tensor& dy) {
                     std::vector<Tensor> grads(2);
                     const DType dtype = dy.dtype();
                     if (need_a)
                       grads[0] = Product(Transpose::kNo, Transpose::kYes, m, k, n, dy, sb.Get(), {m, k}, dtype);
                     if (need_b)
                       grads[1] = Product(Transpose::kYes, Transpose::kNo, k, n, m, sa.Get(), dy, {k, n}, dtype);
                     return grads;
                   });
  return out;
}

Tensor Linear(const Tensor& x, const Tensor& weight, const Tensor& bias, std::optional<DType> result) {
  ops::RequireFloating("Linear", "x", x);
  ops::RequireF32OrF64("Linear", "weight", weight);
  if (weight.rank() != 2 || x.rank() == 0 || x.cols() != weight.dim(1) || !GoesWith(x.dtype(), weight.dtype())) {
    throw Error(
        fmt::format("Linear: x {} and weight {}, expected [..., in_features] and [out_features, in_features] "
                    "of one dtype, or x f16 or bf16 with weight f32",
                    Describe(x), Describe(weight)));
  }
  const DType wanted = result.value_or(x.dtype());
  if (wanted != x.dtype() && wanted != weight.dtype()) {
    throw Error(fmt::format("Linear: a result of {}, expected {}{}", NameOf(wanted), NameOf(weight.dtype()),
                            x.dtype() == weight.dtype() ? "" : fmt::format(" or {}", NameOf(x.dtype()))));
  }
  const int64_t batch = x.rows(), in = weight.dim(1), out = weight.dim(0);
  if (bias.defined()) ops::RequireLike("Linear", "bias", bias, weight, {out});
  Shape shape = x.shape();
  shape.back() = out;
  Tensor y = Product(Transpose::kNo, Transpose::kYes, batch, out, in, x, weight, std::move(shape), wanted, bias);
  autograd::Record(
      "Linear", {x, weight, bias}, y,
      [batch, in, out, shape = x.shape(), narrow = x.dtype(), wide = weight.dtype(), sx = SavedTensor(x),
       sw = SavedTensor(weight), need_x = x.requires_grad(), need_w = weight.requires_grad(),
       need_b = bias.requires_grad()](const Tensor& dy) {
        std::vector<Tensor> grads(3);
        const Tensor factor = Cast(dy, narrow);
        if (need_x) grads[0] = Product(Transpose::kNo, Transpose::kNo, batch, in, out, factor, sw.Get(), shape, narrow);
        if (need_w) {
          grads[1] = Product(Transpose::kYes, Transpose::kNo, out, in, batch, factor, sx.Get(), {out, in}, wide);
        }
        if (need_b) grads[2] = ops::BiasGrad(dy);
        return grads;
      });
  return y;
}

}  // namespace ops
}  // namespace twofour
