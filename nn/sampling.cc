#include "twofour/nn/sampling.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "twofour/core/error.h"

namespace twofour::nn {
namespace {

void RequireUniform(double uniform) {
  if (!(uniform >= 0 && uniform < 1)) {
    throw Error(fmt::format("SampleToken: uniform is {}, expected a number in [0, 1)", uniform));
  }
}

/// The index of the first of the largest logits.
int32_t LargestOf(std::span<const float> logits) {
  if (logits.empty()) throw Error("SampleToken: no logits");
  for (size_t i = 0; i < logits.size(); ++i) {
    if (std::isnan(logits[i]) || logits[i] == std::numeric_limits<float>::infinity()) {
      throw Error(fmt::format("SampleToken: logit {} is {}, expected a number or -inf", i, logits[i]));
    }
  }
  const auto largest = std::max_element(logits.begin(), logits.end());
  if (std::isinf(*largest)) throw Error(fmt::format("SampleToken: all {} logits are -inf", logits.size()));
  return static_cast<int32_t>(largest - logits.begin());
}

/// Probabilities of the tokens that are kept, up to a common factor.
class Candidates {
 public:
  Candidates(std::span<const float> logits, float largest, double temperature)
      : logits_(logits), largest_(static_cast<double>(largest)), temperature_(temperature), tokens_(logits.size()) {
    std::iota(tokens_.begin(), tokens_.end(), 0);
  }

  void KeepLargest(int64_t count) {
    if (count >= static_cast<int64_t>(tokens_.size())) return;
    std::nth_element(tokens_.begin(), tokens_.begin() + count, tokens_.end(),
                     [this](int32_t a, int32_t b) { return IsLikelier(a, b); });
    tokens_.resize(static_cast<size_t>(count));
  }

  void KeepMostLikely(double share) {
    std::sort(tokens_.begin(), tokens_.end(), [this](int32_t a, int32_t b) { return IsLikelier(a, b); });
    const std::vector<double> sums = RunningWeights();
    const auto reached = std::lower_bound(sums.begin(), sums.end(), share * sums.back());
    tokens_.resize(static_cast<size_t>(reached - sums.begin()) + 1);
  }

  int32_t Draw(double uniform) {
    std::sort(tokens_.begin(), tokens_.end());
    const std::vector<double> sums = RunningWeights();
    // A weight of zero adds nothing to the sum before it, so the first sum above the target never belongs to it. A sum
    // above the target always exists, because a double below 1 times the last sum rounds to less than the last sum.
    return tokens_[static_cast<size_t>(std::upper_bound(sums.begin(), sums.end(), uniform * sums.back()) -
                                       sums.begin())];
  }

 private:
  std::vector<double> RunningWeights() const {
    std::vector<double> sums(tokens_.size());
    double sum = 0;
    for (size_t i = 0; i < tokens_.size(); ++i) {
      const double logit = static_cast<double>(logits_[static_cast<size_t>(tokens_[i])]);
      sums[i] = sum += std::exp((logit - largest_) / temperature_);
    }
    return sums;
  }

  bool IsLikelier(int32_t a, int32_t b) const {
    const float logit_a = logits_[static_cast<size_t>(a)], logit_b = logits_[static_cast<size_t>(b)];
    return logit_a != logit_b ? logit_a > logit_b : a < b;
  }

  std::span<const float> logits_;
  double largest_, temperature_;
  std::vector<int32_t> tokens_;
};

}  // namespace

void Check(const SamplingOptions& options, const FieldPath& at, Faults& faults) {
  faults.AtLeast(at("temperature"), options.temperature, 0);
  faults.Expect(options.top_k >= 0, at("top_k"), options.top_k, "at least 0");
  faults.Expect(options.top_p > 0 && options.top_p <= 1, at("top_p"), options.top_p, "a number in (0, 1]");
}

int32_t SampleToken(std::span<const float> logits, const SamplingOptions& options, double uniform) {
  Checked(options, "SampleToken: ", " ");
  RequireUniform(uniform);
  const int32_t largest = LargestOf(logits);
  if (options.temperature == 0) return largest;
  Candidates candidates(logits, logits[static_cast<size_t>(largest)], options.temperature);
  if (options.top_k > 0) candidates.KeepLargest(options.top_k);
  if (options.top_p < 1) candidates.KeepMostLikely(options.top_p);
  return candidates.Draw(uniform);
}

}  // namespace twofour::nn
