#include "twofour/sparse/rounded_linear.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/core/ceil_div.h"
#include "twofour/core/error.h"
#include "twofour/core/hadamard.h"
#include "twofour/core/ops/bias_grad.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/ops/layout.h"
#include "twofour/core/ops/product.h"
#include "twofour/core/parallel.h"
#include "twofour/core/quantize.h"
#include "twofour/sparse/kept_matrix.h"

namespace twofour::sparse {
namespace {

using autograd::SavedTensor;
using kernels::Transpose;

/// What each stream of a pass is for.
enum : uint32_t { kX, kDy, kDyOfWeightGrad, kXOfWeightGrad, kHadamard };

RandomKey Stream(RandomKey key, uint32_t which) {
  key.stream += which;
  return key;
}

RoundedMatrix Round(const Tensor& x, const NumberFormat& format, const RandomKey& key) {
  return RoundTo(x, format, {.key = key});
}

/// The same of what a mask keeps of f32 x; 0 elsewhere.
RoundedMatrix RoundKept(const Tensor& x, const Mask& mask, const NumberFormat& format, const RandomKey& key) {
  const KeptMatrix kept(x, mask);
  RoundedMatrix rounded = Round(kept.values(), format, key);
  rounded.values = kept.Spread(rounded.values.To(DType::kF32));
  return rounded;
}

Tensor Transposed(const Tensor& x) {
  const NoGradGuard no_grad;
  return ops::Transpose(x);
}

/// sums [rows, cols] times scales of rows and columns, of which each may be one for all, plus a bias.
template <typename From, typename To>
void ScaleInto(const Tensor& sums, const Tensor& of_rows, const Tensor& of_cols, const float* bias, Tensor& to) {
  const int64_t rows = sums.rows(), cols = sums.cols();
  const From* const from = sums.data<From>();
  To* const out = to.mutable_data<To>();
  const float* const row_scales = of_rows.data<float>();
  const float* const col_scales = of_cols.data<float>();
  const bool one_of_rows = of_rows.numel() == 1, one_of_cols = of_cols.numel() == 1;
  ParallelFor(rows, RowGrain(cols), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float of_row = row_scales[one_of_rows ? 0 : row];
      for (int64_t col = 0; col < cols; ++col) {
        const float scaled = static_cast<float>(from[row * cols + col]) * of_row * col_scales[one_of_cols ? 0 : col];
        out[row * cols + col] = To(bias == nullptr ? scaled : scaled + bias[col]);
      }
    }
  });
}

Tensor Scaled(const Tensor& sums, const Tensor& of_rows, const Tensor& of_cols, const float* bias, DType result) {
  Tensor y = Tensor::Empty(sums.shape(), result);
  const bool wide_sums = sums.dtype() == DType::kF32, wide = result == DType::kF32;
  if (wide_sums && wide) ScaleInto<float, float>(sums, of_rows, of_cols, bias, y);
  if (wide_sums && !wide) ScaleInto<float, BFloat16>(sums, of_rows, of_cols, bias, y);
  if (!wide_sums && wide) ScaleInto<BFloat16, float>(sums, of_rows, of_cols, bias, y);
  if (!wide_sums && !wide) ScaleInto<BFloat16, BFloat16>(sums, of_rows, of_cols, bias, y);
  return y;
}

/// x [rows, cols] transposed, for a sum over rows: rotated if that is asked for, and rounded.
RoundedMatrix RoundColumns(const Tensor& x, const NumberFormat& format, std::optional<uint16_t> signs,
                           const RandomKey& key) {
  Tensor transposed = Transposed(x);
  if (signs) {
    const int64_t rows = x.rows(), padded = RoundUp(rows, kHadamardBlock);
    transposed = transposed.To(DType::kF32);
    if (padded != rows) {
      const NoGradGuard no_grad;
      transposed = ops::Concat({transposed, Tensor::Zeros({x.cols(), padded - rows})}, 1);
    }
    transposed = HadamardTransform(transposed, *signs);
  }
  return Round(transposed, format, key);
}

Tensor WeightGrad(const Tensor& dy, const Tensor& x, const LinearFormats& formats, const RandomKey& key) {
  std::optional<uint16_t> signs;
  if (formats.hadamard) signs = RandomHadamardSigns(Stream(key, kHadamard));
  const RoundedMatrix left = RoundColumns(dy, formats.gradient, signs, Stream(key, kDyOfWeightGrad));
  const RoundedMatrix right = RoundColumns(x, formats.activation, signs, Stream(key, kXOfWeightGrad));
  const int64_t out = left.values.dim(0), in = right.values.dim(0), tokens = left.values.dim(1);
  const Tensor sums =
      ops::Product(Transpose::kNo, Transpose::kYes, out, in, tokens, left.values, right.values, {out, in}, DType::kF32);
  return Scaled(sums, left.scales, right.scales, nullptr, DType::kF32);
}

/// A matrix [tokens, features] with the elements of x.
Tensor AsRows(const Tensor& x) {
  const NoGradGuard no_grad;
  return ops::Reshape(x.requires_grad() ? x.Detach() : x, {x.rows(), x.cols()});
}

}  // namespace

void Check(const LinearFormats& formats, const FieldPath& at, Faults& faults) {
  Check(formats.weight, at.In("weight"), faults);
  Check(formats.activation, at.In("activation"), faults);
  Check(formats.gradient, at.In("gradient"), faults);
}

RoundedWeight::RoundedWeight(const Tensor& weight, const SemiSparseWeight* packed, const NumberFormat& format,
                             const RandomKey& key)
    : out_features_(weight.dim(0)), in_features_(weight.dim(1)) {
  const Tensor dense = packed == nullptr ? weight.Detach() : packed->source();
  const Tensor transposed = Transposed(dense);
  if (packed == nullptr) {
    RoundedMatrix forward = Round(dense, format, key), input_grad = Round(transposed, format, Stream(key, 1));
    forward_ = std::move(forward.values), forward_scales_ = std::move(forward.scales);
    input_grad_ = std::move(input_grad.values), input_grad_scales_ = std::move(input_grad.scales);
    return;
  }
  const Mask& mask = packed->mask();
  RoundedMatrix forward = RoundKept(dense, mask, format, key);
  RoundedMatrix input_grad =
      RoundKept(transposed, Mask::FromTensor(Transposed(mask.ToTensor())), format, Stream(key, 1));
  packed_forward_ = std::make_unique<SemiSparseWeight>(forward.values, mask, nullptr, packed->format());
  packed_input_grad_ =
      std::make_unique<SemiSparseWeight>(Transposed(input_grad.values), mask, nullptr, packed->format());
  forward_scales_ = std::move(forward.scales), input_grad_scales_ = std::move(input_grad.scales);
}

Tensor RoundedWeight::Forward(const Tensor& x) const {
  if (packed_forward_ != nullptr) return packed_forward_->Forward(x);
  return ops::Product(Transpose::kNo, Transpose::kYes, x.rows(), out_features_, in_features_, x, forward_,
                      {x.rows(), out_features_}, DType::kF32);
}

Tensor RoundedWeight::InputGrad(const Tensor& dy) const {
  if (packed_input_grad_ != nullptr) return packed_input_grad_->InputGrad(dy);
  return ops::Product(Transpose::kNo, Transpose::kYes, dy.rows(), in_features_, out_features_, dy, input_grad_,
                      {dy.rows(), in_features_}, DType::kF32);
}

Tensor RoundedLinear(const Tensor& x, const Tensor& weight, const Tensor& bias,
                     std::shared_ptr<const RoundedWeight> rounded, const LinearFormats& formats, const RandomKey& key,
                     std::optional<DType> result) {
  if (rounded == nullptr) throw Error("RoundedLinear: rounded is null, expected a weight");
  const int64_t out = rounded->out_features(), in = rounded->in_features();
  const bool fits = x.defined() && (x.dtype() == DType::kF32 || x.dtype() == DType::kBF16) && x.rank() > 0;
  if (!fits || x.cols() != in) {
    throw Error(fmt::format("RoundedLinear: x {}, expected f32 or bf16 [..., {}]", Describe(x), in));
  }
  ops::RequireLike("RoundedLinear", "weight", weight, DType::kF32, {out, in});
  if (bias.defined()) ops::RequireLike("RoundedLinear", "bias", bias, DType::kF32, {out});
  const RoundedMatrix input = Round(AsRows(x), formats.activation, Stream(key, kX));
  // Rounded numbers are bf16. Where the caller computes in f32, sums shall not be rounded to less.
  const Tensor sums = rounded->Forward(input.values.To(x.dtype()));
  Tensor y =
      Scaled(sums, input.scales, rounded->forward_scales(), ops::DataOrNull<float>(bias), result.value_or(x.dtype()));
  Shape shape = x.shape();
  shape.back() = out;
  y = ops::Reshape(y, shape);
  autograd::Record(
      "RoundedLinear", {x, weight, bias}, y,
      [rounded, formats, key, sx = SavedTensor(x), shape = x.shape(), dtype = x.dtype(), need_x = x.requires_grad(),
       need_w = weight.requires_grad(), need_b = bias.requires_grad()](const Tensor& grad) {
        std::vector<Tensor> grads(3);
        const Tensor dy = AsRows(grad.To(dtype));
        if (need_x) {
          const RoundedMatrix output = Round(dy, formats.gradient, Stream(key, kDy));
          const Tensor dx = rounded->InputGrad(output.values.To(dtype));
          grads[0] = ops::Reshape(Scaled(dx, output.scales, rounded->input_grad_scales(), nullptr, dtype), shape);
        }
        if (need_w) grads[1] = WeightGrad(dy, AsRows(sx.Get()), formats, key);
        if (need_b) grads[2] = ops::BiasGrad(dy);
        return grads;
      });
  return y;
}

}  // namespace twofour::sparse
