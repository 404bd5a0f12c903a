#include "twofour/train/regression_errors.h"

#include <fmt/format.h>

#include <cmath>
#include <cstddef>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"

namespace twofour::train {
namespace {

constexpr const char* kName = "RegressionErrors";

}  // namespace

RegressionErrors::RegressionErrors(std::vector<double> scales) : scales_(std::move(scales)), sums_(scales_.size()) {
  if (scales_.empty()) throw Error(fmt::format("{}: no targets, expected at least 1", kName));
}

void RegressionErrors::Add(const Tensor& predictions, const Tensor& targets) {
  ops::RequireDType(kName, "predictions", predictions, DType::kF32);
  ops::RequireDType(kName, "targets", targets, DType::kF32);
  const auto count = static_cast<size_t>(this->targets());
  if (targets.rank() != 2 || targets.dim(1) != this->targets() || predictions.shape() != targets.shape()) {
    throw Error(fmt::format("{}: predictions {} and targets {}, expected [batch, {}] for both", kName,
                            ToString(predictions.shape()), ToString(targets.shape()), count));
  }
  const float *prediction = predictions.data<float>(), *target = targets.data<float>();
  for (int64_t row = 0; row < targets.dim(0); ++row) {
    ++total_;
    for (Sums& sums : sums_) {
      const auto value = static_cast<double>(*target++);
      const double error = static_cast<double>(*prediction++) - value;
      sums.squares += error * error;
      sums.magnitudes += std::abs(error);
      const double offset = value - sums.mean;
      sums.mean += offset / static_cast<double>(total_);
      sums.variation += offset * (value - sums.mean);
    }
  }
}

double RegressionErrors::Rmse(int64_t target) const {
  const auto t = static_cast<size_t>(target);
  return std::sqrt(sums_[t].squares / static_cast<double>(total_)) * scales_[t];
}

double RegressionErrors::Mae(int64_t target) const {
  const auto t = static_cast<size_t>(target);
  return sums_[t].magnitudes / static_cast<double>(total_) * scales_[t];
}

std::optional<double> RegressionErrors::R2(int64_t target) const {
  const Sums& sums = sums_[static_cast<size_t>(target)];
  if (sums.variation == 0) return std::nullopt;
  return 1 - sums.squares / sums.variation;
}

std::optional<double> RegressionErrors::MeanR2() const {
  double sum = 0, count = 0;
  for (int64_t target = 0; target < targets(); ++target) {
    const std::optional<double> r2 = R2(target);
    if (!r2) continue;
    sum += *r2;
    ++count;
  }
  return count == 0 ? std::nullopt : std::optional(sum / count);
}

}  // namespace twofour::train
