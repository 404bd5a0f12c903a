#include "tests/sparse/kernels/fused_mlp/mlp_kernel_example.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "twofour/core/half.h"

#include "tests/support/exact_memory.h"
#include "tests/support/products.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using kernels::GemmProblem;
using kernels::Transpose;
using test::Estimate;
using test::ExactCopy;
using test::ExpectNearProduct;
using test::GuardedOutput;
using test::RandomF32;
using Rows = NonZeroLists::Rows;

/// Calls visit(values, count) for the values of all panels, as elements of their own type.
template <typename Visit>
void WithValues(PanelMatrix& matrix, const Visit& visit) {
  for (int64_t p = 0; p < matrix.panels(); ++p) {
    matrix.dtype() == DType::kBF16 ? visit(p, matrix.values<BFloat16>(p)) : visit(p, matrix.values<float>(p));
  }
}

std::vector<double> BiasOf(const Tensor& bias) {
  const std::vector<float> values = bias.ToVector();
  return {values.begin(), values.end()};
}

/// [m, k] times [k, n], both row-major in double, either one transposed.
GemmProblem<double> ProductOf(const Tensor& a, bool turned_a, const Tensor& b, bool turned_b) {
  return {.m = a.dim(turned_a ? 1 : 0),
          .n = b.dim(turned_b ? 0 : 1),
          .k = a.dim(turned_a ? 0 : 1),
          .a = a.data<double>(),
          .lda = a.dim(1),
          .transpose_a = turned_a ? Transpose::kYes : Transpose::kNo,
          .b = b.data<double>(),
          .ldb = b.dim(1),
          .transpose_b = turned_b ? Transpose::kYes : Transpose::kNo};
}

}  // namespace

MlpKernelExample::MlpKernelExample(const FusedMlpKernel& kernel, const MlpSizes& sizes)
    : kernel_(kernel),
      sizes_(sizes),
      activation_(kernel.linear->activation),
      fc_(MakeLayer(sizes.hidden, sizes.in, 1, sizes.fc_bias)),
      proj_(MakeLayer(sizes.out, sizes.hidden, 2, 0)),
      x_(RandomF32({sizes.batch, sizes.in}, {.seed = 3}).To(activation_)),
      dy_(RandomF32({sizes.batch, sizes.out}, {.seed = 4}).To(activation_)),
      hidden_(sizes.batch, sizes.hidden, kernel.panel, activation_) {}

MlpKernelExample::Layer MlpKernelExample::MakeLayer(int64_t out, int64_t in, uint64_t seed, float mean_bias) const {
  Tensor weight = RandomF32({out, in}, {.seed = seed});
  Mask mask = FindMask(weight, MaskMethod::kExact);
  Tensor masked = ApplyMask(weight, mask);
  Tensor bias = RandomF32({out}, {.seed = seed + 100}, mean_bias - 0.1, mean_bias + 0.1);
  const auto pack = [&](Direction direction) {
    return kernel_.linear->pack(weight.data<float>(), mask.view(), direction);
  };
  auto forward = pack(Direction::kForward), input_grad = pack(Direction::kInputGrad);
  return {weight, mask, masked, bias, std::move(forward), std::move(input_grad)};
}

Tensor MlpKernelExample::Rounded(const Layer& layer) const { return layer.masked.To(activation_).To(DType::kF64); }

Tensor MlpKernelExample::HiddenRows() const {
  Tensor rows = Tensor::Empty({sizes_.batch, sizes_.hidden}, DType::kF64);
  WithValues(const_cast<PanelMatrix&>(hidden_), [&](int64_t p, const auto* values) {
    for (int64_t r = 0; r < hidden_.rows(p); ++r) {
      for (int64_t j = 0; j < sizes_.hidden; ++j) {
        rows.mutable_data<double>()[(p * hidden_.panel() + r) * sizes_.hidden + j] =
            static_cast<double>(static_cast<float>(values[j * hidden_.panel() + r]));
      }
    }
  });
  return rows;
}

void MlpKernelExample::PoisonBeyondBatch() {
  WithValues(hidden_, [&]<typename T>(int64_t p, T* values) {
    for (int64_t j = 0; j < sizes_.hidden; ++j) {
      for (int64_t r = hidden_.rows(p); r < hidden_.panel(); ++r) {
        values[j * hidden_.panel() + r] = static_cast<T>(std::numeric_limits<float>::quiet_NaN());
      }
    }
  });
}

Tensor MlpKernelExample::ListProduct(const NonZeroLists& lists, const Layer& layer, bool transposed,
                                     const float* bias) const {
  const int64_t n = layer.masked.dim(transposed ? 0 : 1);
  const std::vector<std::byte> masked = ExactCopy(layer.masked);
  GuardedOutput out({sizes_.batch, n}, activation_);
  kernel_.list_product(lists,
                       {.data = masked.data(), .ld = layer.masked.dim(1), .transposed = transposed, .is_weight = true},
                       n, bias, {out.data()});
  return out.Take();
}

void MlpKernelExample::CheckHidden() {
  for (int64_t p = 0; p < hidden_.panels(); ++p) {  // What was there before must not matter.
    for (int64_t j = 0; j < sizes_.hidden; ++j) hidden_.nonzero(p)[j] = ~uint64_t{0};
  }
  kernel_.hidden(*fc_.forward, ExactCopy(x_).data(), fc_.bias.data<float>(), hidden_);
  const Tensor rows = HiddenRows(), x = x_.To(DType::kF64), weight = Rounded(fc_);
  const std::vector<double> bias = BiasOf(fc_.bias);
  GemmProblem<double> product = ProductOf(x, false, weight, true);
  product.bias = bias.data();
  ExpectNearProduct(rows.To(activation_), product,
                    [](int64_t, int64_t, const Estimate& sum) { return test::ReluSquaredOf(sum); });
  for (int64_t p = 0; p < hidden_.panels(); ++p) {
    for (int64_t j = 0; j < sizes_.hidden; ++j) {
      uint64_t expected = 0;
      for (int64_t r = 0; r < hidden_.rows(p); ++r) {
        const bool nonzero = rows.data<double>()[(p * hidden_.panel() + r) * sizes_.hidden + j] != 0;
        expected |= uint64_t{nonzero} << r;
      }
      ASSERT_EQ(hidden_.nonzero(p)[j], expected) << "panel " << p << ", feature " << j;
    }
  }
}

void MlpKernelExample::CheckForward() {
  const Tensor rows = HiddenRows(), weight = Rounded(proj_), dy = dy_.To(DType::kF64);
  PoisonBeyondBatch();
  const std::vector<double> bias = BiasOf(proj_.bias);
  GemmProblem<double> y = ProductOf(rows, false, weight, true);
  y.bias = bias.data();
  GuardedOutput whole({sizes_.batch, sizes_.out}, activation_);
  kernel_.product(*proj_.forward, hidden_, proj_.bias.data<float>(), whole.data());
  ExpectNearProduct(whole.Take(), y);
  const auto by_batch = kernel_.lists(hidden_, Rows::kBatch);
  ExpectNearProduct(ListProduct(*by_batch, proj_, true, proj_.bias.data<float>()), y);
  y.bias = nullptr;
  ExpectNearProduct(ListProduct(*by_batch, proj_, true, nullptr), y);

  const std::vector<std::byte> dy_bytes = ExactCopy(dy_);
  GuardedOutput weight_grad({sizes_.out, sizes_.hidden}, DType::kF32);
  kernel_.list_product(*kernel_.lists(hidden_, Rows::kFeatures), {.data = dy_bytes.data(), .ld = sizes_.out},
                       sizes_.out, nullptr, {weight_grad.data(), /*is_weight=*/true, /*transposed=*/true});
  ExpectNearProduct(weight_grad.Take(), ProductOf(dy, true, rows, false));
}

Tensor MlpKernelExample::CheckHiddenGrad(bool sampled) {
  const Tensor h = HiddenRows(), proj = Rounded(proj_), dy = dy_.To(DType::kF64);
  PoisonBeyondBatch();
  GuardedOutput bias_grad({sizes_.hidden}, DType::kF32);
  auto* const bias_grad_data = static_cast<float*>(bias_grad.data());
  const std::vector<std::byte> dy_bytes = ExactCopy(dy_);
  if (sampled) {
    kernel_.sampled_hidden_grad(proj_.weight.data<float>(), proj_.mask.view(), dy_bytes.data(), hidden_,
                                bias_grad_data);
  } else {
    kernel_.hidden_grad(*proj_.input_grad, dy_bytes.data(), hidden_, bias_grad_data);
  }
  const Tensor dh = HiddenRows();
  const auto root = [&](int64_t i, int64_t j) { return std::sqrt(h.data<double>()[i * sizes_.hidden + j]); };
  std::vector<Estimate> sums(static_cast<size_t>(sizes_.hidden));
  ExpectNearProduct(dh.To(activation_), ProductOf(dy, false, proj, false),
                    [&](int64_t i, int64_t j, const Estimate& sum) {
                      Estimate grad{2 * root(i, j) * sum.value, 2 * root(i, j) * sum.error};
                      grad.error += 0x1p-23 * std::abs(grad.value);
                      sums[j].value += grad.value;
                      sums[j].error += grad.error + 0x1p-24 * 64 * std::abs(grad.value);
                      return grad;
                    });
  const std::vector<float> bias_grads = bias_grad.Take().ToVector();
  for (size_t j = 0; j < sums.size(); ++j) {
    EXPECT_NEAR(static_cast<double>(bias_grads[j]), sums[j].value, sums[j].error + 1e-30) << j;
  }
  return dh;
}

void MlpKernelExample::CheckBackward() {
  const auto compute_hidden = [&] {
    kernel_.hidden(*fc_.forward, ExactCopy(x_).data(), fc_.bias.data<float>(), hidden_);
  };
  compute_hidden();
  CheckHiddenGrad(/*sampled=*/true);
  compute_hidden();
  const auto by_batch = kernel_.lists(hidden_, Rows::kBatch), by_feature = kernel_.lists(hidden_, Rows::kFeatures);
  const Tensor dh = CheckHiddenGrad(/*sampled=*/false);

  PoisonBeyondBatch();
  const Tensor fc = Rounded(fc_), x = x_.To(DType::kF64);
  GuardedOutput whole({sizes_.batch, sizes_.in}, activation_);
  kernel_.product(*fc_.input_grad, hidden_, nullptr, whole.data());
  ExpectNearProduct(whole.Take(), ProductOf(dh, false, fc, false));
  const auto other_by_batch = kernel_.other_values(hidden_, *by_batch);
  ExpectNearProduct(ListProduct(*other_by_batch, fc_, false, nullptr), ProductOf(dh, false, fc, false));

  const std::vector<std::byte> x_bytes = ExactCopy(x_);
  GuardedOutput weight_grad({sizes_.hidden, sizes_.in}, DType::kF32);
  kernel_.list_product(*kernel_.other_values(hidden_, *by_feature), {.data = x_bytes.data(), .ld = sizes_.in},
                       sizes_.in, nullptr, {weight_grad.data(), /*is_weight=*/true});
  ExpectNearProduct(weight_grad.Take(), ProductOf(dh, true, x, false));
}

}  // namespace twofour::sparse
