#include "twofour/sparse/prune/refit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/error.h"
#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/prune/require_layer.h"

namespace twofour::sparse {
namespace {

/// Rows that are fitted at a time, so that their vectors take little memory.
constexpr int64_t kRows = 256;

double Dot(const double* a, const double* b, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

/// Some rows of a weight W and of a W' that is fitted to it.
class Fit {
 public:
  /// Rows [first, first + rows). `gram` is H.
  Fit(const float* weight, const float* start, const MaskView& mask, int64_t first, int64_t rows, const Tensor& gram)
      : mask_(mask),
        first_(first),
        rows_(rows),
        cols_(gram.dim(0)),
        h_(gram.data<double>()),
        weight_(weight + first * cols_),
        missing_(rows * cols_),
        residual_(rows * cols_),
        direction_(rows * cols_),
        product_(rows * cols_),
        lengths_(static_cast<size_t>(rows)),
        errors_(static_cast<size_t>(rows)),
        done_(static_cast<size_t>(rows)),
        scale_(static_cast<size_t>(cols_)) {
    for (int64_t col = 0; col < cols_; ++col) {
      const double diagonal = h_[col * cols_ + col];
      scale_[static_cast<size_t>(col)] = diagonal > 0 ? 1 / diagonal : 0;
    }
    std::fill_n(direction_.data(), rows * cols_, 0.0);
    Measure(start + first * cols_);
    starts_ = errors_;
  }

  void Run(int64_t steps) {
    for (int64_t step = 0; step < steps; ++step) {
      ForRows([this](int64_t row) { Turn(row); });
      if (std::ranges::all_of(done_, [](char done) { return done != 0; })) return;
      Multiply(direction_.data(), product_.data());
      ForRows([this](int64_t row) { Go(row); });
    }
  }

  /// Writes the fitted rows to `to`, which has those of the start.
  void Store(float* to) {
    AlignedBuffer<float> fitted(rows_ * cols_);
    for (int64_t i = 0; i < rows_ * cols_; ++i) {
      fitted.data()[i] = static_cast<float>(static_cast<double>(weight_[i]) - missing_.data()[i]);
    }
    Measure(fitted.data());
    for (int64_t row = 0; row < rows_; ++row) {
      const auto at = static_cast<size_t>(row);
      if (errors_[at] < starts_[at]) std::copy_n(fitted.data() + row * cols_, cols_, to + row * cols_);
    }
  }

 private:
  template <typename Body>
  void ForRows(const Body& body) const {
    ParallelFor(rows_, RowGrain(cols_), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) body(row);
    });
  }

  void Multiply(const double* x, double* product) const {
    kernels::Gemm(kernels::Transpose::kNo, kernels::Transpose::kNo, rows_, cols_, cols_, x, h_, product);
  }

  /// What W' lacks, its residuals and its errors.
  void Measure(const float* fitted) {
    for (int64_t i = 0; i < rows_ * cols_; ++i) {
      missing_.data()[i] = static_cast<double>(weight_[i]) - static_cast<double>(fitted[i]);
    }
    Multiply(missing_.data(), residual_.data());
    for (int64_t row = 0; row < rows_; ++row) {
      errors_[static_cast<size_t>(row)] = Dot(missing_.data() + row * cols_, residual_.data() + row * cols_, cols_);
    }
  }

  /// The new direction of a row: its residual, scaled and masked, plus what makes it conjugate to the last one.
  void Turn(int64_t row) {
    const auto at = static_cast<size_t>(row);
    if (done_[at]) return;
    double *const p = direction_.data() + row * cols_, *const r = residual_.data() + row * cols_;
    const auto scaled = [&](int64_t col) {
      return mask_.Keeps(first_ + row, col) ? r[col] * scale_[static_cast<size_t>(col)] : 0;
    };
    double now = 0;
    for (int64_t col = 0; col < cols_; ++col) now += r[col] * scaled(col);
    const double last = lengths_[at], beta = last > 0 ? now / last : 0;
    for (int64_t col = 0; col < cols_; ++col) p[col] = scaled(col) + beta * p[col];
    lengths_[at] = now;
    if (!(now > 0)) Stop(row);
  }

  /// As far in the direction of a row as its error falls.
  void Go(int64_t row) {
    const auto at = static_cast<size_t>(row);
    if (done_[at]) return;
    const double *const p = direction_.data() + row * cols_, *const hp = product_.data() + row * cols_;
    double *const d = missing_.data() + row * cols_, *const r = residual_.data() + row * cols_;
    const double curvature = Dot(p, hp, cols_);
    if (!(curvature > 0)) return Stop(row);
    const double alpha = lengths_[at] / curvature;
    double error = 0;
    for (int64_t col = 0; col < cols_; ++col) error += (d[col] - alpha * p[col]) * (r[col] - alpha * hp[col]);
    if (!(error >= 0 && error < errors_[at])) return Stop(row);
    for (int64_t col = 0; col < cols_; ++col) {
      d[col] -= alpha * p[col];
      r[col] -= alpha * hp[col];
    }
    errors_[at] = error;
  }

  void Stop(int64_t row) {
    done_[static_cast<size_t>(row)] = 1;
    std::fill_n(direction_.data() + row * cols_, cols_, 0.0);
  }

  MaskView mask_;
  int64_t first_, rows_, cols_;
  const double* h_;
  const float* weight_;
  AlignedBuffer<double> missing_, residual_, direction_, product_;  // W - W', (W - W') H, P and P H.
  std::vector<double> lengths_, errors_,
      starts_;                 // Of each row: the residual's squared length; the error now, at first.
  std::vector<char> done_;     // No bool: threads write neighbours.
  std::vector<double> scale_;  // 1 / H_jj, or 0 for features that are always 0.
};

}  // namespace

Tensor RefitKept(const Tensor& weight, const Tensor& start, const Mask& mask, const Tensor& gram, int64_t steps,
                 std::string_view name) {
  RequireLayer("RefitKept", name, weight, gram);
  ops::RequireLike("RefitKept", "start", start, weight, weight.shape());
  if (mask.rows() != weight.dim(0) || mask.cols() != weight.dim(1)) {
    throw Error(fmt::format("{}: shape {} and a mask [{}, {}], expected equal shapes", name, ToString(weight.shape()),
                            mask.rows(), mask.cols()));
  }
  const int64_t rows = weight.dim(0), cols = weight.dim(1);
  Tensor result = start.Clone();
  for (int64_t first = 0; first < rows; first += kRows) {
    Fit fit(weight.data<float>(), start.data<float>(), mask.view(), first, std::min(kRows, rows - first), gram);
    fit.Run(steps);
    fit.Store(result.mutable_data<float>() + first * cols);
  }
  return result;
}

}  // namespace twofour::sparse
