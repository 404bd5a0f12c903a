#include "twofour/sparse/prune/alps.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "twofour/core/cholesky.h"
#include "twofour/core/error.h"
#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/finite_weight.h"
#include "twofour/sparse/mask_of_pattern.h"
#include "twofour/sparse/prune/dampened_gram.h"
#include "twofour/sparse/prune/refit.h"
#include "twofour/sparse/prune/require_layer.h"

namespace twofour::sparse {
namespace {

/// Rounds between two looks at how much of the mask has changed.
constexpr int64_t kLookEvery = 3;
/// As the diagonal of H is 1, a larger penalty would only keep the first mask. It grows from there on, and a float must
/// hold it to the end.
constexpr double kMostRho = 1e6;

/// By how much rho grows if `changed` of `kept` entries have moved: the paper's steps.
double Growth(int64_t changed, int64_t kept) {
  const double share = static_cast<double>(changed) / static_cast<double>(std::max<int64_t>(kept, 1));
  return share >= 0.1 ? 1.3 : share >= 0.005 ? 1.2 : 1.1;
}

/// How many entries are 0 in one of two weights alone. That says more than their masks: what a mask keeps of features
/// that are always 0 does not matter, and changes with the rounding where several masks keep the same of the others.
int64_t CountMoved(const Tensor& a, const Tensor& b) {
  int64_t moved = 0;
  for (int64_t i = 0; i < a.numel(); ++i) moved += (a.data<float>()[i] != 0) != (b.data<float>()[i] != 0);
  return moved;
}

class Admm {
 public:
  /// `gram` is dampened, and its features scaled: its diagonal is 1.
  Admm(const Tensor& weight, const Tensor& gram, const AlpsOptions& options, std::string_view name)
      : options_(options),
        name_(name),
        gram_(gram),
        target_(Tensor::Empty(weight.shape())),
        v_(Tensor::Zeros(weight.shape())),
        right_(Tensor::Empty(weight.shape())),
        free_(weight.Clone()) {
    Multiply(weight, gram.To(DType::kF32), target_);
    Project(weight);
  }

  /// Runs until the weights that are kept stay the same ones.
  void Run() {
    double rho = options_.rho;
    Tensor inverse = Inverse(rho);
    Tensor last = projected_;
    for (int64_t round = 1; round <= options_.iterations; ++round) {
      Step(rho, inverse);
      if (round % kLookEvery != 0) continue;
      const int64_t changed = CountMoved(last, projected_);
      if (changed == 0) return;
      last = projected_;
      rho *= Growth(changed, mask_.CountKept());
      inverse = Inverse(rho);
    }
  }

  const Tensor& weight() const { return projected_; }
  const Mask& mask() const { return mask_; }

 private:
  static void Multiply(const Tensor& a, const Tensor& b, Tensor& c) {
    kernels::Gemm(kernels::Transpose::kNo, kernels::Transpose::kNo, a.dim(0), b.dim(1), a.dim(1), a.data<float>(),
                  b.data<float>(), c.mutable_data<float>());
  }

  Tensor Inverse(double rho) const {
    Tensor sum = gram_.Clone();
    double* const data = sum.mutable_data<double>();
    const int64_t n = sum.dim(0);
    for (int64_t i = 0; i < n; ++i) data[i * n + i] += rho;
    std::optional<Tensor> inverse = InverseOfPositive(sum);
    // FactorDampened has factored the matrix, and rho only adds to its diagonal.
    if (!inverse) {
      throw Error(fmt::format("{}: the inputs' Gram matrix cannot be factored with rho {:g}", name_, rho),
                  ErrorKind::kRuntimeFailure);
    }
    return inverse->To(DType::kF32);
  }

  void Project(const Tensor& near) {
    Tensor squares = Tensor::Empty(near.shape());
    const float* const from = near.data<float>();
    float* const to = squares.mutable_data<float>();
    for (int64_t i = 0; i < near.numel(); ++i) to[i] = from[i] * from[i];
    mask_ = FindMaskOf(squares, options_.pattern, name_, options_.columns);
    projected_ = ApplyMask(near, mask_);
  }

  void Step(double rho, const Tensor& inverse) {
    const auto penalty = static_cast<float>(rho);
    const float *const target = target_.data<float>(), *const d = projected_.data<float>();
    float *const v = v_.mutable_data<float>(), *const right = right_.mutable_data<float>();
    const auto each = [&](const auto& body) {
      ParallelFor(right_.numel(), kElementwiseGrain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) body(i);
      });
    };
    each([&](int64_t i) { right[i] = target[i] - v[i] + penalty * d[i]; });
    Multiply(right_, inverse, free_);
    const float* const free = free_.data<float>();
    each([&](int64_t i) { right[i] = free[i] + v[i] / penalty; });
    Project(right_);
    const float* const projected = projected_.data<float>();
    each([&](int64_t i) { v[i] += penalty * (free[i] - projected[i]); });
  }

  const AlpsOptions& options_;
  std::string_view name_;
  const Tensor& gram_;
  Tensor target_, v_, right_, free_, projected_;
  Mask mask_;
};

}  // namespace

void Check(const AlpsOptions& options, const FieldPath& at, Faults& faults) {
  CheckByGram("ALPS", options.pattern, options.dampening, at, faults);
  faults.PositiveFloat(at("rho"), options.rho);
  faults.Expect(options.rho <= kMostRho, at("rho"), options.rho, fmt::format("at most {:g}", kMostRho));
  faults.InRange(at("iterations"), options.iterations, 0, kMaxCount);
  faults.InRange(at("refit"), options.refit, 0, kMaxCount);
}

PrunedWeight Alps(const Tensor& weight, const Tensor& gram, const AlpsOptions& options, std::string_view name) {
  Checked(options, "Alps: ");
  RequireLayer("Alps", name, weight, gram);
  RequireFinite(weight, name);
  const DampenedGram factored = FactorDampened(gram, options.dampening, name);
  const int64_t rows = weight.dim(0), cols = weight.dim(1);
  Tensor scaled_gram = factored.matrix.Clone(), scaled = weight.Clone();
  double* const h = scaled_gram.mutable_data<double>();
  std::vector<double> roots;
  for (int64_t i = 0; i < cols; ++i) roots.push_back(std::sqrt(h[i * cols + i]));
  for (int64_t row = 0; row < cols; ++row) {
    for (int64_t col = 0; col < cols; ++col) {
      h[row * cols + col] /= roots[static_cast<size_t>(row)] * roots[static_cast<size_t>(col)];
    }
  }
  // A power of two brings the largest entry to 1 or just above, so that squares are neither too large for a float nor
  // all too small, whatever the units of weights and inputs are.
  double largest = 0;
  for (int64_t i = 0; i < rows * cols; ++i) {
    const auto col = static_cast<size_t>(i % cols);
    if (!factored.dead[col]) largest = std::max(largest, roots[col] * std::fabs(double{weight.data<float>()[i]}));
  }
  const double unit = largest > 0 ? std::ldexp(1.0, std::ilogb(largest)) : 1;
  const auto scale_columns = [&](Tensor& values, bool up) {
    float* const data = values.mutable_data<float>();
    for (int64_t i = 0; i < rows * cols; ++i) {
      const auto col = static_cast<size_t>(i % cols);
      const double root = factored.dead[col] ? 0 : roots[col] / unit;
      data[i] = static_cast<float>(up ? data[i] * root : root > 0 ? data[i] / root : 0);
    }
  };
  scale_columns(scaled, true);
  Admm admm(scaled, scaled_gram, options, name);
  admm.Run();
  Tensor fitted = RefitKept(scaled, admm.weight(), admm.mask(), scaled_gram, options.refit, name);
  scale_columns(fitted, false);
  RequireHeld(fitted, name);
  return {.weight = std::move(fitted), .mask = admm.mask(), .notes = factored.notes};
}

}  // namespace twofour::sparse
