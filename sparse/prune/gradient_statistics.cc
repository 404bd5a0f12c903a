#include "twofour/sparse/prune/gradient_statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/reduce.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/parallel.h"

namespace twofour::sparse {
namespace {

template <typename Function>
Tensor Each(const Tensor& sums, const Function& function) {
  Tensor result = Tensor::Empty(sums.shape());
  const double* const from = sums.data<double>();
  float* const to = result.mutable_data<float>();
  ParallelFor(sums.numel(), kElementwiseGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) to[i] = static_cast<float>(function(from[i]));
  });
  return result;
}

}  // namespace

GradientStatistics::GradientStatistics(Shape shape)
    : shape_(std::move(shape)),
      sums_{.magnitudes = Tensor::Zeros(shape_, DType::kF64), .squares = Tensor::Zeros(shape_, DType::kF64)} {}

void GradientStatistics::Add(const Tensor& gradient, std::string_view name) {
  ops::RequireLike("GradientStatistics", name, gradient, DType::kF32, shape());
  const float* const g = gradient.data<float>();
  if (const int64_t at = kernels::FindNonFinite(gradient.numel(), g); at >= 0) {
    throw Error(fmt::format("{}: element {} of the gradient of sample {} is {}, expected finite gradients", name, at,
                            samples_, g[at]),
                ErrorKind::kRuntimeFailure);
  }
  double *const magnitudes = sums_.magnitudes.mutable_data<double>(), *const squares =
                                                                          sums_.squares.mutable_data<double>();
  ParallelFor(gradient.numel(), kElementwiseGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto value = static_cast<double>(g[i]);
      magnitudes[i] += std::fabs(value);
      squares[i] += value * value;
    }
  });
  ++samples_;
}

Tensor GradientStatistics::MeanMagnitudes() const {
  const auto count = static_cast<double>(std::max<int64_t>(samples_, 1));
  return Each(sums_.magnitudes, [count](double sum) { return sum / count; });
}

Tensor GradientStatistics::Norms(std::string_view name) const {
  const Tensor norms = Each(sums_.squares, [](double sum) { return std::sqrt(sum); });
  if (const int64_t at = kernels::FindNonFinite(norms.numel(), norms.data<float>()); at >= 0) {
    throw Error(fmt::format("{}: the norm of its gradients at element {} is {:g}, more than a 32-bit float can hold",
                            name, at, std::sqrt(sums_.squares.data<double>()[at])),
                ErrorKind::kRuntimeFailure);
  }
  return norms;
}

}  // namespace twofour::sparse
