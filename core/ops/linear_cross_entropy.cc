#include "twofour/core/ops/linear_cross_entropy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/core/ceil_div.h"
#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/elementwise.h"
#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/core/kernels/rows/softmax.h"
#include "twofour/core/ops/cast.h"
#include "twofour/core/ops/check.h"

namespace twofour {
inline namespace ops {
namespace {

using kernels::Transpose;

constexpr char kOp[] = "LinearCrossEntropy";

void Check(const Tensor& x, const Tensor& weight, const Tensor& targets, const LinearCrossEntropyOptions& options) {
  ops::RequireFloating(kOp, "x", x);
  ops::RequireF32OrF64(kOp, "weight", weight);
  ops::RequireDType(kOp, "targets", targets, DType::kI32);
  if (weight.rank() != 2 || x.rank() == 0 || x.cols() != weight.dim(1) || !GoesWith(x.dtype(), weight.dtype())) {
    throw Error(
        fmt::format("{}: x {} and weight {}, expected [..., features] and [classes, features] of one dtype, or x f16 "
                    "or bf16 with weight f32",
                    kOp, Describe(x), Describe(weight)));
  }
  if (targets.numel() != x.rows()) {
    throw Error(fmt::format("{}: targets {} for x {}, expected {} of them", kOp, ToString(targets.shape()),
                            ToString(x.shape()), x.rows()));
  }
  if (options.soft_cap != 0) ops::RequirePositive(kOp, "soft_cap", options.soft_cap, weight.dtype());
  if (options.chunk_rows < 0) {
    throw Error(fmt::format("{}: chunk_rows {}, expected 0 (automatic) or more", kOp, options.chunk_rows));
  }
}

/// Rows of one chunk. It depends on the sizes only, because chunks decide the order in which the weight's gradient is
/// summed.
int64_t ChunkRows(int64_t rows, int64_t classes, int64_t wanted) {
  constexpr int64_t kElements = int64_t{1} << 20;  // 4 MiB of f32.
  constexpr int64_t kMinRows = 256;                // With fewer, reading the weight takes longer than multiplying.
  const int64_t most = wanted > 0 ? wanted : std::max(kMinRows, kElements / std::max<int64_t>(classes, 1));
  const int64_t chunks = std::max<int64_t>(1, CeilDiv(rows, most));
  return CeilDiv(rows, chunks);
}

/// The pass over x [rows, features], chunk by chunk. x has elements of type X, as have its gradient and the gradient of
/// the logits.
template <typename X>
class Pass {
  using T = ComputeType<X>;

 public:
  Pass(const Tensor& x, const Tensor& weight, const Tensor& targets, const LinearCrossEntropyOptions& options)
      : x_(x.data<X>()),
        weight_(weight.data<T>()),
        target_(targets.data<int32_t>()),
        options_(options),
        rows_(x.rows()),
        features_(weight.dim(1)),
        classes_(weight.dim(0)),
        chunk_rows_(ChunkRows(rows_, classes_, options.chunk_rows)),
        logits_(Tensor::Empty({chunk_rows_, classes_}, DTypeOf<T>())),
        losses_(static_cast<size_t>(chunk_rows_)) {}

  /// The sum of all rows' losses. Gradients of factor * sum go to `dx` and `dweight`, where they are not null.
  double Run(double factor, X* dx, T* dweight) {
    if (dx != nullptr || dweight != nullptr) {
      gradient_ = std::is_same_v<X, T> ? logits_ : Tensor::Empty(logits_.shape(), DTypeOf<X>());
    }
    double sum = 0;
    for (int64_t row = 0; row < rows_; row += chunk_rows_) {
      const int64_t count = std::min(chunk_rows_, rows_ - row);
      sum += RunChunk(row, count, factor, dx, dweight);
    }
    return sum;
  }

 private:
  double RunChunk(int64_t row, int64_t count, double factor, X* dx, T* dweight) {
    const X* x = x_ + row * features_;
    T* logits = logits_.mutable_data<T>();
    kernels::Gemm(Transpose::kNo, Transpose::kYes, count, classes_, features_, x, weight_, logits);
    kernels::CappedCrossEntropy<T, X> problem;
    problem.rows = count;
    problem.cols = classes_;
    problem.target = target_ + row;
    problem.ignore_index = options_.ignore_index;
    problem.soft_cap = static_cast<T>(options_.soft_cap);
    problem.factor = static_cast<T>(factor);
    problem.logits = logits;
    problem.gradient = ops::MutableDataOrNull<X>(gradient_);
    problem.losses = losses_.data();
    kernels::ComputeCappedCrossEntropy(problem);
    if (dx != nullptr) {
      kernels::Gemm(Transpose::kNo, Transpose::kNo, count, features_, classes_, gradient_.data<X>(), weight_,
                    dx + row * features_);
    }
    if (dweight != nullptr) AddWeightGrad(x, count, row > 0, dweight);
    double sum = 0;
    for (int64_t r = 0; r < count; ++r) sum += losses_[r];
    return sum;
  }

  void AddWeightGrad(const X* x, int64_t count, bool accumulate, T* dweight) {
    kernels::GemmProblem<X, X, T> problem;
    problem.m = classes_;
    problem.n = features_;
    problem.k = count;
    problem.a = gradient_.data<X>();
    problem.lda = classes_;
    problem.transpose_a = Transpose::kYes;
    problem.b = x;
    problem.ldb = features_;
    problem.c = dweight;
    problem.ldc = features_;
    problem.accumulate = accumulate;
    kernels::Gemm(problem);
  }

  const X* x_;
  const T* weight_;
  const int32_t* target_;
  const LinearCrossEntropyOptions options_;
  const int64_t rows_, features_, classes_, chunk_rows_;
  Tensor logits_;    ///< Of a chunk.
  Tensor gradient_;  ///< Of a chunk's logits. It takes their place unless x has 16 bits. Undefined if not wanted.
  std::vector<double> losses_;
};

/// Memory for the gradient of `input`: undefined where no gradient is wanted, zeros where there is no row.
Tensor GradFor(const Tensor& input, int64_t rows) {
  if (!GradEnabled() || !input.requires_grad()) return {};
  return rows == 0 ? Tensor::Zeros(input.shape(), input.dtype()) : Tensor::Empty(input.shape(), input.dtype());
}

/// grad *= factor, in place. This is safe because a graph is walked once, and nobody else has seen `grad`.
void ScaleInPlace(double factor, Tensor& grad) {
  if (!grad.defined() || factor == 1.0) return;
  DispatchF32F64OrBF16(grad.dtype(), kOp, [&](auto zero) {
    using T = decltype(zero);
    T* values = grad.mutable_data<T>();
    kernels::Scale<T>(grad.numel(), static_cast<ComputeType<T>>(factor), values, values);
  });
}

}  // namespace

Tensor LinearCrossEntropy(const Tensor& x, const Tensor& weight, const Tensor& targets,
                          const LinearCrossEntropyOptions& options) {
  Check(x, weight, targets, options);
  if (x.dtype() == DType::kF16) return LinearCrossEntropy(Cast(x, DType::kF32), weight, targets, options);
  const int64_t counted = ops::CountTargets(kOp, targets, weight.dim(0), options.ignore_index);
  const double mean = counted == 0 ? 0.0 : 1.0 / static_cast<double>(counted);
  Tensor dx = GradFor(x, x.rows()), dweight = GradFor(weight, x.rows());
  double sum = 0;
  DispatchF32F64OrBF16(x.dtype(), kOp, [&](auto zero) {
    using X = decltype(zero);
    sum = Pass<X>(x, weight, targets, options)
              .Run(mean, ops::MutableDataOrNull<X>(dx), ops::MutableDataOrNull<ComputeType<X>>(dweight));
  });
  Tensor loss = Tensor::Scalar(sum * mean, weight.dtype());
  autograd::Record(kOp, {x, weight}, loss, [dx, dweight](const Tensor& dy) {
    std::vector<Tensor> grads = {dx, dweight};
    for (Tensor& grad : grads) ScaleInPlace(dy.item(), grad);
    return grads;
  });
  return loss;
}

}  // namespace ops
}  // namespace twofour
