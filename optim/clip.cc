#include "twofour/optim/clip.h"

#include <fmt/format.h>

#include <cmath>

#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/reduce.h"
#include "twofour/core/kernels/elements/scale_by.h"
#include "twofour/core/ops/check.h"

namespace twofour::optim {
namespace {

/// Throws Error unless all are f32. Their gradients then are f32, too.
void RequireParameters(const char* function, const std::vector<Tensor>& parameters) {
  for (size_t i = 0; i < parameters.size(); ++i) {
    ops::RequireDType(function, fmt::format("parameter {} (counted from 0)", i), parameters[i], DType::kF32);
  }
}

}  // namespace

double GradNorm(const std::vector<Tensor>& parameters) {
  RequireParameters("GradNorm", parameters);
  double squares = 0;
  for (const Tensor& parameter : WithoutRepeats(parameters)) {
    const Tensor& grad = parameter.grad();
    if (grad.defined()) squares += kernels::SumOfSquares(grad.numel(), grad.data<float>());
  }
  return std::sqrt(squares);
}

double ClipGradNorm(const std::vector<Tensor>& parameters, double max_norm) {
  const double norm = GradNorm(parameters);
  ClipGradNorm(parameters, max_norm, norm);
  return norm;
}

void ClipGradNorm(const std::vector<Tensor>& parameters, double max_norm, double norm) {
  if (!(max_norm >= 0)) throw Error(fmt::format("ClipGradNorm: max_norm is {}, must not be negative", max_norm));
  RequireParameters("ClipGradNorm", parameters);
  if (norm <= max_norm) return;
  for (const Tensor& parameter : WithoutRepeats(parameters)) {
    Tensor grad = parameter.grad();
    if (!grad.defined()) continue;
    float* g = grad.mutable_data<float>();
    kernels::ScaleBy(grad.numel(), max_norm / norm, g, g);
  }
}

}  // namespace twofour::optim
