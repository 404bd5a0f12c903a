#include "twofour/nn/calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/nn/training_mode_scope.h"

namespace twofour::nn {
namespace {

/// Ends a forward pass. It is no error, so it is no Error.
struct EndOfPass {};

/// Ends each pass after `calls` calls of a linear; 0: never.
class UpTo : public ForwardObserver {
 public:
  UpTo(const Module& last, ForwardObserver& observer) : last_(last), observer_(observer) {}
  void Begin(int64_t calls) { left_ = calls; }
  void OnLinear(const Module& linear, const LinearInput& input) override {
    observer_.OnLinear(linear, input);
    if (&linear == &last_ && --left_ == 0) throw EndOfPass();
  }

 private:
  const Module& last_;
  ForwardObserver& observer_;
  int64_t left_ = 0;
};

class OrderObserver : public ForwardObserver {
 public:
  PassOrder order;
  void OnLinear(const Module& linear, const LinearInput& /*input*/) override {
    if (++order.calls.back()[&linear] > 1) return;
    if (std::ranges::find(order.linears, &linear) == order.linears.end()) order.linears.push_back(&linear);
  }
};

/// The same data, with a call of `begin` before each batch.
template <typename Begin>
Calibration WithBeginning(const Calibration& calibration, const Begin& begin) {
  return {.batches = calibration.batches, .loss = [&calibration, begin](int64_t batch) {
            begin(batch);
            return calibration.loss(batch);
          }};
}

/// However it ends, no parameter of the model has a gradient.
class WithoutGradients {
 public:
  explicit WithoutGradients(Module& model) : model_(model) {}
  ~WithoutGradients() { Clear(model_); }
  WithoutGradients(const WithoutGradients&) = delete;
  WithoutGradients& operator=(const WithoutGradients&) = delete;

  static void Clear(Module& model) {
    for (Tensor& parameter : model.Parameters()) parameter.ZeroGrad();
  }

 private:
  Module& model_;
};

}  // namespace

void InputCollector::OnLinear(const Module& linear, const LinearInput& input) {
  const auto name = names_.find(&linear);
  if (name == names_.end()) return;
  const Tensor values = input.Values();
  const auto found = statistics_.try_emplace(&linear, values.cols(), extent_).first;
  found->second.Add(values, name->second);
}

const sparse::InputStatistics* InputCollector::Of(const Module& linear) const {
  const auto found = statistics_.find(&linear);
  return found == statistics_.end() ? nullptr : &found->second;
}

const sparse::InputStatistics& InputCollector::Require(const Module& linear) const {
  const sparse::InputStatistics* const inputs = Of(linear);
  if (inputs != nullptr) return *inputs;
  throw Error(fmt::format("{}: no batch of the calibration data comes to it, so that its inputs are not known",
                          names_.at(&linear)));
}

bool RunCalibration(Module& model, const Calibration& calibration, ForwardObserver& observer,
                    const std::function<bool()>& stopped) {
  const NoGradGuard no_grad;
  const TrainingModeScope evaluation(model, false);
  const ForwardObserverScope scope(observer);
  for (int64_t batch = 0; batch < calibration.batches; ++batch) {
    if (stopped && stopped()) return false;
    try {
      calibration.loss(batch);
    } catch (const EndOfPass&) {
      // The observer has seen what it needs.
    }
  }
  return true;
}

std::optional<PassOrder> OrderOfPasses(Module& model, const Calibration& calibration,
                                       const std::function<bool()>& stopped) {
  OrderObserver observer;
  const auto begin = [&observer](int64_t /*batch*/) { observer.order.calls.emplace_back(); };
  if (!RunCalibration(model, WithBeginning(calibration, begin), observer, stopped)) return std::nullopt;
  return std::move(observer.order);
}

bool RunCalibrationUpTo(const Module& last, const PassOrder& order, Module& model, const Calibration& calibration,
                        ForwardObserver& observer, const std::function<bool()>& stopped) {
  UpTo up_to(last, observer);
  const auto begin = [&](int64_t batch) {
    const auto& calls = order.calls.at(static_cast<size_t>(batch));
    const auto found = calls.find(&last);
    up_to.Begin(found == calls.end() ? 0 : found->second);
  };
  return RunCalibration(model, WithBeginning(calibration, begin), up_to, stopped);
}

bool VisitGradients(Module& model, const Calibration& calibration, const std::function<void()>& visit,
                    const std::function<bool()>& stopped) {
  const TrainingModeScope evaluation(model, false);
  const WithoutGradients afterwards(model);
  for (int64_t batch = 0; batch < calibration.batches; ++batch) {
    if (stopped && stopped()) return false;
    WithoutGradients::Clear(model);
    calibration.loss(batch).Backward();
    visit();
  }
  return true;
}

std::optional<double> MeanLoss(Module& model, const Calibration& calibration, const std::function<bool()>& stopped) {
  if (calibration.batches < 1) {
    throw Error(fmt::format("MeanLoss: batches is {}, expected at least 1", calibration.batches));
  }
  const NoGradGuard no_grad;
  const TrainingModeScope evaluation(model, false);
  double sum = 0;
  for (int64_t batch = 0; batch < calibration.batches; ++batch) {
    if (stopped && stopped()) return std::nullopt;
    const double loss = calibration.loss(batch).item();
    if (!std::isfinite(loss)) {
      throw Error(fmt::format("the loss of batch {} of the calibration data is {}", batch, loss),
                  ErrorKind::kRuntimeFailure);
    }
    sum += loss;
  }
  return sum / static_cast<double>(calibration.batches);
}

bool CollectGradients(Module& model, const Calibration& calibration, const std::map<std::string, Tensor>& weights,
                      std::map<std::string, sparse::GradientStatistics>& statistics,
                      const std::function<bool()>& stopped) {
  std::set<std::string> without;
  for (const auto& [name, weight] : weights) without.insert(name);
  const auto add = [&] {
    for (const auto& [name, weight] : weights) {
      const Tensor gradient = weight.grad();
      if (gradient.defined()) without.erase(name);
      const auto found = statistics.try_emplace(name, weight.shape()).first;
      found->second.Add(gradient.defined() ? gradient : Tensor::Zeros(weight.shape()), name + ".weight");
    }
  };
  if (!VisitGradients(model, calibration, add, stopped)) return false;
  if (!without.empty() && calibration.batches > 0) {
    throw Error(
        fmt::format("{}.weight: no batch of the calibration data gives it a gradient, expected a weight that is "
                    "not frozen and that the loss depends on",
                    *without.begin()));
  }
  return true;
}

}  // namespace twofour::nn
