#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "twofour/core/faults.h"
#include "twofour/core/state_reader.h"
#include "twofour/core/tensor.h"

namespace twofour::optim {

struct WeightAverageOptions {
  double decay = 0.999;
  /// Averages over fewer updates at first: update n, counted from 0, decays by min(decay, (1 + n) / (10 + n)), as
  /// TensorFlow's ExponentialMovingAverage does. Otherwise the initial weights stay in the average for long.
  bool warmup = true;
};

/// Rule: decay is in [0, 1).
void Check(const WeightAverageOptions& options, const FieldPath& at, Faults& faults);

/// An exponential moving average of weights (Polyak and Juditsky, "Acceleration of Stochastic Approximation by
/// Averaging", 1992), which often evaluates better than the last weights:
///   average = decay * average + (1 - decay) * parameter
///
/// Averages are kept apart from the parameters. To evaluate them, load them into a second model of the same
/// architecture, whose masks then are those of the averaged weights:
///   nn::LoadStateDict(copy, average.Averages(), "average");
class WeightAverage {
 public:
  /// Begins with copies of `parameters`, which are f32 and have different names. Throws Error otherwise, and on options
  /// that Check finds fault with.
  explicit WeightAverage(std::vector<NamedTensor> parameters, const WeightAverageOptions& options = {});

  /// Takes the parameters' elements into the averages. To be called after each optimizer step.
  void Update();
  int64_t updates() const { return updates_; }
  /// The averages under the parameters' names. Shared, not copied: the next update writes to them.
  const std::vector<NamedTensor>& Averages() const { return averages_; }

  /// `step` (i32 [], the updates) and `<parameter>.average`, for a checkpoint. Shared, as Averages() are.
  std::vector<NamedTensor> StateDict() const;
  /// Restores a StateDict(). If anything is wrong, changes nothing and throws Error that lists every fault, each
  /// prefixed by `source`.
  void LoadStateDict(const std::vector<NamedTensor>& state, const std::string& source);
  /// The first half of LoadStateDict, for callers that restore several objects at once. Changes nothing yet.
  StateCommit ReadStateDict(StateReader& reader);

 private:
  std::vector<NamedTensor> parameters_, averages_;
  WeightAverageOptions options_;
  int64_t updates_ = 0;
};

}  // namespace twofour::optim
