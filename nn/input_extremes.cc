#include "twofour/nn/input_extremes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "twofour/core/error.h"

namespace twofour::nn {

std::vector<float> InputExtremes::Magnitudes() const {
  std::vector<float> magnitudes(least.size());
  std::ranges::transform(least, largest, magnitudes.begin(),
                         [](float low, float high) { return std::max(std::fabs(low), std::fabs(high)); });
  return magnitudes;
}

void ExtremesCollector::OnLinear(const Module& linear, const LinearInput& input) {
  const auto name = names_.find(&linear);
  if (name == names_.end()) return;
  const Tensor values = input.Values();
  const auto features = static_cast<size_t>(values.cols());
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const auto [found, is_first] = extremes_.try_emplace(
      &linear, InputExtremes{std::vector<float>(features, kInfinity), std::vector<float>(features, -kInfinity)});
  InputExtremes& extremes = found->second;
  const float* x = values.data<float>();
  for (int64_t token = 0; token < values.rows(); ++token, x += features) {
    for (size_t j = 0; j < features; ++j) {
      if (!std::isfinite(x[j])) {
        throw Error(fmt::format("{}: input {} of a token is {}, expected finite numbers", name->second, j, x[j]),
                    ErrorKind::kRuntimeFailure);
      }
      extremes.least[j] = std::min(extremes.least[j], x[j]);
      extremes.largest[j] = std::max(extremes.largest[j], x[j]);
    }
  }
}

const InputExtremes& ExtremesCollector::Require(const Module& linear) const {
  const auto found = extremes_.find(&linear);
  if (found != extremes_.end()) return found->second;
  throw Error(fmt::format("{}: no batch of the calibration data comes to it, so that its inputs are not known",
                          names_.at(&linear)));
}

}  // namespace twofour::nn
