#include "twofour/core/check_gradients.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <string_view>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/random.h"

namespace twofour::autograd {
namespace {

/// The faults so far: the first few of them, and how many there are.
class GradientFaults {
 public:
  void Add(const std::string& line) {
    if (count_++ < kShown) text_ += "\n  " + line;
  }
  /// Throws Error if there are any.
  void Throw() const {
    if (count_ == 0) return;
    throw Error(fmt::format("CheckGradients: {} {} in the gradients{}:{}", count_, count_ == 1 ? "fault" : "faults",
                            count_ > kShown ? "; the first" : "", text_));
  }

 private:
  static constexpr int kShown = 10;

  int count_ = 0;
  std::string text_;
};

struct Pass {
  std::vector<Tensor> leaves;
  Tensor output;
};

/// Copies for one run. They are rounded to f32 for both dtypes, so that f32 and f64 start from equal numbers.
std::vector<Tensor> MakeLeaves(const std::vector<Tensor>& inputs, DType dtype) {
  std::vector<Tensor> leaves;
  for (const Tensor& input : inputs) {
    if (!input.defined() || !IsFloating(input.dtype())) {
      leaves.push_back(input);
      continue;
    }
    leaves.push_back(input.To(DType::kF32).To(dtype));
    leaves.back().set_requires_grad(input.requires_grad());
  }
  return leaves;
}

std::vector<uint64_t> Versions(const std::vector<Tensor>& tensors) {
  std::vector<uint64_t> versions;
  for (const Tensor& tensor : tensors) versions.push_back(tensor.defined() ? tensor.version() : 0);
  return versions;
}

Tensor ContractionWeights(const Shape& shape) {
  Tensor weights = Tensor::Empty(shape, DType::kF64);
  FillUniform(weights, 0.5, 1.5, {.seed = 20240607});
  return weights;
}

/// Runs forward and backward, and checks everything that needs no numbers to compare with.
Pass Run(const TensorFunction& function, const std::vector<Tensor>& inputs, DType dtype, GradientFaults& faults) {
  Pass pass{MakeLeaves(inputs, dtype), Tensor()};
  const std::vector<uint64_t> versions = Versions(pass.leaves);
  pass.output = function(pass.leaves);
  if (!pass.output.defined()) {
    faults.Add("the output is undefined");
    return pass;
  }
  if (pass.output.dtype() != dtype) {
    faults.Add(fmt::format("{} inputs give a {} output", NameOf(dtype), NameOf(pass.output.dtype())));
    return pass;
  }
  if (!pass.output.requires_grad()) {
    faults.Add("the output requires no gradient");
    return pass;
  }
  pass.output.Backward(ContractionWeights(pass.output.shape()).To(dtype));
  if (Versions(pass.leaves) != versions) faults.Add("an input was written to");
  for (size_t i = 0; i < pass.leaves.size(); ++i) {
    const Tensor& leaf = pass.leaves[i];
    if (!leaf.defined()) continue;
    const bool wanted = leaf.requires_grad(), given = leaf.grad().defined();
    if (wanted && !given) faults.Add(fmt::format("input {}: no {} gradient", i, NameOf(dtype)));
    if (!wanted && given) faults.Add(fmt::format("input {}: a gradient that nobody asked for", i));
    if (given && (leaf.grad().shape() != leaf.shape() || leaf.grad().dtype() != dtype)) {
      faults.Add(fmt::format("input {}: a {} gradient of shape {} for {}", i, NameOf(leaf.grad().dtype()),
                             ToString(leaf.grad().shape()), Describe(dtype, leaf.shape())));
    }
  }
  return pass;
}

void CheckNoGrad(const TensorFunction& function, const Pass& pass, GradientFaults& faults) {
  const NoGradGuard no_grad;
  const Tensor output = function(pass.leaves);
  if (output.requires_grad()) faults.Add("under NoGradGuard the output requires a gradient");
  const bool same =
      output.defined() && output.dtype() == pass.output.dtype() && output.shape() == pass.output.shape() &&
      (output.numel() == 0 ||
       std::memcmp(output.raw(), pass.output.raw(), static_cast<size_t>(output.numel()) * sizeof(double)) == 0);
  if (!same) faults.Add("under NoGradGuard, or when run again, the output differs");
}

/// d(contracted output) / d(element `at` of input `i`), by central differences.
double Quotient(const TensorFunction& function, std::vector<Tensor>& inputs, size_t i, int64_t at, double step) {
  const double x = inputs[i].data<double>()[at];
  const double above = x + step, below = x - step;
  inputs[i].mutable_data<double>()[at] = above;
  const Tensor high = function(inputs).Clone();  // Without Clone it may be a view of the inputs.
  inputs[i].mutable_data<double>()[at] = below;
  const Tensor low = function(inputs).Clone();
  inputs[i].mutable_data<double>()[at] = x;
  const Tensor weights = ContractionWeights(high.shape());
  double sum = 0;
  for (int64_t e = 0; e < high.numel(); ++e) {
    sum += weights.data<double>()[e] * (high.data<double>()[e] - low.data<double>()[e]);
  }
  return sum / (above - below);
}

void CheckDifferences(const TensorFunction& function, const Pass& pass, const GradientCheckOptions& options,
                      GradientFaults& faults) {
  const NoGradGuard no_grad;
  std::vector<Tensor> inputs = MakeLeaves(pass.leaves, DType::kF64);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].requires_grad()) continue;
    const int64_t n = inputs[i].numel(), varied = std::min(n, options.max_varied);
    for (int64_t v = 0; v < varied; ++v) {
      const int64_t at = v * n / varied;
      const double numeric = Quotient(function, inputs, i, at, options.step);
      const double analytic = pass.leaves[i].grad().data<double>()[at];
      if (std::abs(analytic - numeric) <= options.tolerance * (1.0 + std::abs(numeric))) continue;
      faults.Add(fmt::format("input {} {}, element {}: the backward pass gives {:.9g}, differences give {:.9g}", i,
                             ToString(inputs[i].shape()), at, analytic, numeric));
    }
  }
}

void CompareWithF32(std::string_view what, const Tensor& f32, const Tensor& f64, double tolerance,
                    GradientFaults& faults) {
  if (f32.shape() != f64.shape()) {
    faults.Add(fmt::format("{}: shape {} in f32, {} in f64", what, ToString(f32.shape()), ToString(f64.shape())));
    return;
  }
  for (int64_t i = 0; i < f64.numel(); ++i) {
    const double a = static_cast<double>(f32.data<float>()[i]), b = f64.data<double>()[i];
    if (std::abs(a - b) <= tolerance * (1.0 + std::abs(b))) continue;
    faults.Add(fmt::format("{} {}, element {}: {:.9g} in f32, {:.9g} in f64", what, ToString(f64.shape()), i, a, b));
  }
}

}  // namespace

void CheckGradients(const TensorFunction& function, const std::vector<Tensor>& inputs,
                    const GradientCheckOptions& options) {
  if (!function) throw Error("CheckGradients: there is no function to check");
  const auto require = [](bool holds, const char* what, double value, const char* expected) {
    if (!holds) throw Error(fmt::format("CheckGradients: {} is {}, expected {}", what, value, expected));
  };
  const auto is_tolerance = [](double x) { return x >= 0 && std::isfinite(x); };
  require(options.step > 0 && std::isfinite(options.step), "step", options.step, "a finite number above 0");
  require(is_tolerance(options.tolerance), "tolerance", options.tolerance, "a finite number of at least 0");
  require(is_tolerance(options.f32_tolerance), "f32_tolerance", options.f32_tolerance, "a finite number of at least 0");
  require(options.max_varied >= 1, "max_varied", static_cast<double>(options.max_varied), "at least 1");
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].defined() && IsFloating(inputs[i].dtype()) && inputs[i].dtype() != DType::kF64) {
      throw Error(fmt::format("CheckGradients: input {} is {}, expected f64", i, NameOf(inputs[i].dtype())));
    }
  }
  GradientFaults faults;
  const Pass f64 = Run(function, inputs, DType::kF64, faults);
  faults.Throw();
  CheckNoGrad(function, f64, faults);
  faults.Throw();  // Differences of a function that changes would mean nothing.
  CheckDifferences(function, f64, options, faults);
  const Pass f32 = Run(function, inputs, DType::kF32, faults);
  faults.Throw();
  CompareWithF32("output", f32.output, f64.output, options.f32_tolerance, faults);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].requires_grad()) continue;
    CompareWithF32(fmt::format("gradient of input {}", i), f32.leaves[i].grad(), f64.leaves[i].grad(),
                   options.f32_tolerance, faults);
  }
  faults.Throw();
}

}  // namespace twofour::autograd
