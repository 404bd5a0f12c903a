#include "twofour/sparse/ops.h"

#include <fmt/format.h>

#include <algorithm>

#include "twofour/core/autograd.h"
#include "twofour/core/ceil_div.h"
#include "twofour/core/error.h"
#include "twofour/core/ops/bias_grad.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/ops/convolution.h"
#include "twofour/core/ops/in_f32.h"
#include "twofour/core/ops/product.h"

namespace twofour::sparse {
namespace {

using autograd::SavedTensor;
using kernels::Transpose;

/// dy^T x over all rows: the gradient of a dense f32 weight.
Tensor WeightGrad(const Tensor& dy, const Tensor& x) {
  const int64_t out = dy.cols(), in = x.cols();
  return ops::Product(Transpose::kYes, Transpose::kNo, out, in, x.rows(), dy, x, {out, in}, DType::kF32);
}

}  // namespace

Tensor MaskedLinear(const Tensor& x, const Tensor& weight, const Tensor& bias,
                    std::shared_ptr<const SemiSparseWeight> packed) {
  if (packed == nullptr) throw Error("MaskedLinear: packed is null, expected a 2:4 weight");
  const int64_t out = packed->out_features(), in = packed->in_features();
  ops::RequireDType("MaskedLinear", "weight", weight, DType::kF32);
  if (!x.defined() || !GoesWith(x.dtype(), weight.dtype()) || x.rank() == 0 || x.cols() != in) {
    throw Error(fmt::format("MaskedLinear: x {} and weight {}, expected x f32, f16 or bf16 [..., {}]", Describe(x),
                            Describe(weight), in));
  }
  ops::RequireLike("MaskedLinear", "weight", weight, weight, {out, in});
  if (bias.defined()) ops::RequireLike("MaskedLinear", "bias", bias, weight, {out});
  Tensor y = packed->Forward(x, {.bias = ops::DataOrNull<float>(bias)});
  autograd::Record("MaskedLinear", {x, weight, bias}, y,
                   [packed, sx = SavedTensor(x), sw = SavedTensor(weight), need_x = x.requires_grad(),
                    need_w = weight.requires_grad(), need_b = bias.requires_grad()](const Tensor& dy) {
                     std::vector<Tensor> grads(3);
                     if (need_x) {
                       sw.Get();  // Throws if the weight was written to since. Needed here because the packed form may
                                  // be older than the write.
                       grads[0] = packed->InputGrad(dy);
                     }
                     if (need_w) grads[1] = WeightGrad(dy, sx.Get());
                     if (need_b) grads[2] = ops::BiasGrad(dy);
                     return grads;
                   });
  return y;
}

Tensor MaskedConv2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                    std::shared_ptr<const SemiSparseWeight> packed, const WindowOptions& options) {
  if (packed == nullptr) throw Error("MaskedConv2d: packed is null, expected a 2:4 weight");
  ops::RequireLike("MaskedConv2d", "weight", weight, DType::kF32, {packed->out_features(), packed->in_features()});
  const auto forward = [packed, bias](const Tensor& windows) {
    return packed->Forward(windows, {.bias = ops::DataOrNull<float>(bias)});
  };
  const auto input_grad = [packed](const Tensor& dy) { return packed->InputGrad(dy); };
  return ops::ConvolveBy("MaskedConv2d", x, weight, bias, options, {forward, input_grad});
}

Tensor PruneTiles(const Tensor& x, MaskMethod method, std::string_view name) {
  if (!x.defined() || !GoesWith(x.dtype(), DType::kF32) || x.rank() == 0 || x.cols() % kTileSize != 0) {
    throw Error(
        fmt::format("PruneTiles: x {}, expected f32, f16 or bf16 [..., features] with features a multiple of {}",
                    Describe(x), kTileSize));
  }
  if (IsHalf(x.dtype())) {
    return ops::InF32([&](const Tensor& wide) { return PruneTiles(wide, method, name); }, x);
  }
  const int64_t rows = x.rows(), cols = x.cols();
  const int64_t padded = RoundUp(rows, kTileSize);
  Tensor tiled = Tensor::Zeros({padded, cols});
  std::copy_n(x.data<float>(), x.numel(), tiled.mutable_data<float>());
  const Tensor pruned = ApplyMask(tiled, FindMask(tiled, method, fmt::format("{}: input", name)));
  Tensor y = Tensor::Empty(x.shape());
  std::copy_n(pruned.data<float>(), x.numel(), y.mutable_data<float>());
  autograd::Record("PruneTiles", {x}, y, [](const Tensor& dy) { return std::vector<Tensor>{dy}; });
  return y;
}

}  // namespace twofour::sparse
