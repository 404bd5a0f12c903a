#include "twofour/sparse/prune/dsnot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/finite_weight.h"

namespace twofour::sparse {
namespace {

/// What is known of the features of all rows.
struct Features {
  Features(const InputStatistics& inputs, double power, std::string_view name)
      : means(inputs.Means()), norms(inputs.Norms(name)), mean(means.data<double>()), norm(norms.data<float>()) {
    const Tensor variances = inputs.Variances();
    for (int64_t i = 0; i < variances.numel(); ++i) {
      // A feature that never varies can be relied on most.
      const double spread = std::max(std::pow(variances.data<double>()[i], power), 1e-30);
      per_spread.push_back(power == 0 ? 1 : 1 / spread);
    }
  }

  Tensor means, norms;
  const double* mean;
  const float* norm;
  std::vector<double> per_spread;
};

/// One row and its entries of the mask.
class Row {
 public:
  Row(const float* weights, int64_t count, int64_t group, const Features& features, bool* kept)
      : w_(weights),
        count_(count),
        group_(group),
        features_(features),
        kept_(kept),
        restored_(static_cast<size_t>(count)) {
    for (int64_t col = 0; col < count; ++col) {
      if (!kept[col]) error_ += Part(col);
    }
  }

  /// Makes an exchange, if one lowers the error.
  bool Exchange(double threshold) {
    if (std::fabs(error_) < threshold) return false;
    const int64_t back = BestDropped();
    if (back < 0) return false;
    const int64_t first = back / group_ * group_, gone = LeastKept(first, std::min(first + group_, count_));
    if (gone < 0) return false;
    const double error = error_ - Part(back) + Part(gone);
    if (!(std::fabs(error) < std::fabs(error_))) return false;
    kept_[back] = true;
    kept_[gone] = false;
    restored_[static_cast<size_t>(back)] = true;
    error_ = error;
    return true;
  }

 private:
  double Part(int64_t col) const { return static_cast<double>(w_[col]) * features_.mean[col]; }
  double Sign() const { return error_ > 0 ? 1 : -1; }

  int64_t BestDropped() const {
    int64_t best = -1;
    double most = 0;
    for (int64_t col = 0; col < count_; ++col) {
      if (kept_[col]) continue;
      const double gain = Sign() * Part(col) * features_.per_spread[static_cast<size_t>(col)];
      if (gain <= most) continue;
      most = gain;
      best = col;
    }
    return best;
  }

  /// The least important of the columns [begin, end) whose loss lowers the error.
  int64_t LeastKept(int64_t begin, int64_t end) const {
    int64_t best = -1;
    double least = 0;
    for (int64_t col = begin; col < end; ++col) {
      if (!kept_[col] || restored_[static_cast<size_t>(col)] || Sign() * Part(col) >= 0) continue;
      const double importance = std::fabs(static_cast<double>(w_[col])) * static_cast<double>(features_.norm[col]);
      if (best >= 0 && importance >= least) continue;
      least = importance;
      best = col;
    }
    return best;
  }

  const float* w_;
  int64_t count_, group_;
  const Features& features_;
  bool* kept_;
  std::vector<bool> restored_;
  double error_ = 0;
};

bool IsGroups(const PruningPattern& pattern) { return pattern.format.kind == MaskFormat::Kind::kRows; }

}  // namespace

void Check(const DsnotOptions& options, const FieldPath& at, Faults& faults) {
  Check(options.pattern, at.In("pattern"), faults);
  const bool rows =
      options.pattern.format.kind == MaskFormat::Kind::kUnstructured && options.pattern.scope != PruningScope::kModel;
  faults.Expect(IsGroups(options.pattern) || rows, at("pattern"), options.pattern.ToString(),
                "n:m along rows or unstructured within a weight: DSnoT exchanges weights of one row");
  faults.InRange(at("exchanges"), options.exchanges, 0, kMaxCount);
  faults.AtLeast(at("threshold"), options.threshold, 0);
  faults.AtLeast(at("variance_power"), options.variance_power, 0);
}

PrunedWeight Dsnot(const Tensor& weight, const Mask& mask, const InputStatistics& inputs, const DsnotOptions& options,
                   std::string_view name) {
  Checked(options, "Dsnot: ");
  ops::RequireDType("Dsnot", name, weight, DType::kF32);
  if (weight.rank() != 2 || mask.rows() != weight.dim(0) || mask.cols() != weight.dim(1) ||
      inputs.in_features() != weight.dim(1)) {
    throw Error(fmt::format("{}: shape {}, a mask [{}, {}] and {} input features, expected [out, in] twice and in",
                            name, ToString(weight.shape()), mask.rows(), mask.cols(), inputs.in_features()));
  }
  if (inputs.samples() == 0) throw Error(fmt::format("{}: no samples of its inputs, expected at least one", name));
  RequireFinite(weight, name);
  const int64_t rows = weight.dim(0), cols = weight.dim(1);
  const int64_t group = IsGroups(options.pattern) ? options.pattern.format.m : cols;
  const Features features(inputs, options.variance_power, name);
  Tensor kept = mask.ToTensor();
  bool* const entries = kept.mutable_data<bool>();
  const float* const w = weight.data<float>();
  ParallelFor(rows, RowGrain(cols), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Row row(w + i * cols, cols, group, features, entries + i * cols);
      for (int64_t count = 0; count < options.exchanges && row.Exchange(options.threshold); ++count) {
      }
    }
  });
  PrunedWeight pruned{.weight = {}, .mask = Mask::FromTensor(kept)};
  pruned.weight = ApplyMask(weight, pruned.mask);
  return pruned;
}

}  // namespace twofour::sparse
