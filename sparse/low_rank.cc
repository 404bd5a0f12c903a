#include "twofour/sparse/low_rank.h"

#include <fmt/format.h>

#include <optional>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/elementwise.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/ops/product.h"

namespace twofour::sparse {
namespace {

using autograd::SavedTensor;
using kernels::Transpose;

void RequireFactors(const Tensor& weight, const LowRank& factors, const Mask* mask) {
  ops::RequireF32OrF64("AddLowRank", "weight", weight);
  const auto is_matrix = [&](const Tensor& x) { return x.defined() && x.rank() == 2 && x.dtype() == weight.dtype(); };
  const bool fit = weight.rank() == 2 && is_matrix(factors.a) && is_matrix(factors.b) &&
                   factors.a.dim(1) == weight.dim(1) && factors.b.dim(0) == weight.dim(0) &&
                   factors.a.dim(0) == factors.b.dim(1);
  if (!fit) {
    throw Error(fmt::format("AddLowRank: weight {}, a {} and b {}, expected [out, in], [r, in] and [out, r]",
                            Describe(weight), Describe(factors.a), Describe(factors.b)));
  }
  if (mask != nullptr && (mask->rows() != weight.dim(0) || mask->cols() != weight.dim(1))) {
    throw Error(
        fmt::format("AddLowRank: mask [{}, {}] for a weight {}", mask->rows(), mask->cols(), ToString(weight.shape())));
  }
}

void Scale(double factor, Tensor& x) {
  if (x.dtype() == DType::kF32) {
    kernels::Scale(x.numel(), static_cast<float>(factor), x.data<float>(), x.mutable_data<float>());
  } else {
    kernels::Scale(x.numel(), factor, x.data<double>(), x.mutable_data<double>());
  }
}

/// `x` with zeros where the mask drops. Masks are made for f32; f64 is for checks of gradients.
Tensor Masked(const Tensor& x, const Mask& mask) {
  if (x.dtype() == DType::kF32) return ApplyMask(x, mask);
  Tensor masked = x.Clone();
  double* const values = masked.mutable_data<double>();
  for (int64_t row = 0; row < mask.rows(); ++row) {
    for (int64_t col = 0; col < mask.cols(); ++col) {
      if (!mask.Keeps(row, col)) values[row * mask.cols() + col] = 0;
    }
  }
  return masked;
}

/// weight + scale * b a. The factor goes to b, the smaller matrix.
Tensor Sum(const Tensor& weight, const LowRank& factors) {
  const int64_t out = weight.dim(0), in = weight.dim(1), rank = factors.a.dim(0);
  Tensor scaled = factors.b.Clone();
  Scale(factors.scale, scaled);
  Tensor sum =
      ops::Product(Transpose::kNo, Transpose::kNo, out, in, rank, scaled, factors.a, {out, in}, weight.dtype());
  if (weight.dtype() == DType::kF32) {
    kernels::Add(sum.numel(), weight.data<float>(), sum.data<float>(), sum.mutable_data<float>());
  } else {
    kernels::Add(sum.numel(), weight.data<double>(), sum.data<double>(), sum.mutable_data<double>());
  }
  return sum;
}

void RecordFactors(const LowRank& factors, const Mask* mask, Tensor& sum) {
  std::optional<Mask> kept;
  if (mask != nullptr) kept = *mask;
  autograd::Record(
      "AddLowRank", {factors.a, factors.b}, sum,
      [kept = std::move(kept), a = SavedTensor(factors.a), b = SavedTensor(factors.b), scale = factors.scale,
       need_a = factors.a.requires_grad(), need_b = factors.b.requires_grad()](const Tensor& grad) {
        const Tensor g = kept ? Masked(grad, *kept) : grad;
        const int64_t out = g.dim(0), in = g.dim(1), rank = a.Get().dim(0);
        std::vector<Tensor> grads(2);
        if (need_a) {
          grads[0] = ops::Product(Transpose::kYes, Transpose::kNo, rank, in, out, b.Get(), g, {rank, in}, g.dtype());
          Scale(scale, grads[0]);
        }
        if (need_b) {
          grads[1] = ops::Product(Transpose::kNo, Transpose::kYes, out, rank, in, g, a.Get(), {out, rank}, g.dtype());
          Scale(scale, grads[1]);
        }
        return grads;
      });
}

}  // namespace

Tensor AddLowRank(const Tensor& weight, const LowRank& factors, const Mask* mask) {
  RequireFactors(weight, factors, mask);
  Tensor sum = Sum(weight, factors);
  if (mask != nullptr) sum = Masked(sum, *mask);
  RecordFactors(factors, mask, sum);
  return sum;
}

Tensor LowRankHandle(const Tensor& sum, const LowRank& factors, const Mask* mask) {
  RequireFactors(sum, factors, mask);
  Tensor handle = sum.Detach();
  RecordFactors(factors, mask, handle);
  return handle;
}

}  // namespace twofour::sparse
