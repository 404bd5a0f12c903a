#include "twofour/sparse/allocation/outlier_share.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/faults.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/finite_weight.h"

namespace twofour::sparse {
namespace {

/// The sum over all entries of a function of their magnitude: row by row, so that it is the same on any number of
/// threads.
template <typename Function>
double Sum(const Tensor& scores, const Function& function) {
  const int64_t cols = scores.dim(1);
  std::vector<double> sums(static_cast<size_t>(scores.dim(0)));
  ParallelFor(scores.dim(0), RowGrain(cols), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* const from = scores.data<float>() + row * cols;
      for (int64_t col = 0; col < cols; ++col) sums[static_cast<size_t>(row)] += function(std::fabs(from[col]));
    }
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

}  // namespace

double OutlierShare(std::span<const NamedScores> scores, double multiple) {
  Faults faults("OutlierShare: ");
  faults.Positive("multiple", multiple);
  faults.Throw();
  double count = 0, sum = 0, outliers = 0;
  for (const auto& [name, matrix] : scores) {
    ops::RequireDType("OutlierShare", name, matrix, DType::kF32);
    if (matrix.rank() != 2) {
      throw Error(fmt::format("{}: shape {}, expected scores [rows, cols]", name, ToString(matrix.shape())));
    }
    RequireFinite(matrix, name);
    count += static_cast<double>(matrix.numel());
    sum += Sum(matrix, [](float magnitude) { return static_cast<double>(magnitude); });
  }
  if (count == 0) throw Error("OutlierShare: no scores, expected at least one");
  const double bound = multiple * (sum / count);
  for (const auto& [name, matrix] : scores) {
    outliers += Sum(matrix, [bound](float magnitude) { return magnitude > bound ? 1.0 : 0.0; });
  }
  return outliers / count;
}

double OutlierShare(const Tensor& scores, double multiple) {
  const NamedScores named{.name = "scores", .scores = scores};
  return OutlierShare(std::span(&named, 1), multiple);
}

}  // namespace twofour::sparse
