#include "twofour/nn/calibration.h"

#include "twofour/core/autograd.h"
#include "twofour/nn/training_mode_scope.h"

namespace twofour::nn {
namespace {

/// Ends a forward pass. It is no error, so it is no Error.
struct EndOfPass {};

class UpTo : public ForwardObserver {
 public:
  UpTo(const Module& last, ForwardObserver& observer) : last_(last), observer_(observer) {}
  void OnLinear(const Module& linear, const LinearInput& input) override {
    observer_.OnLinear(linear, input);
    if (&linear == &last_) throw EndOfPass();
  }

 private:
  const Module& last_;
  ForwardObserver& observer_;
};

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

bool RunCalibrationUpTo(const Module& last, Module& model, const Calibration& calibration, ForwardObserver& observer,
                        const std::function<bool()>& stopped) {
  UpTo up_to(last, observer);
  return RunCalibration(model, calibration, up_to, stopped);
}

bool CollectGradients(Module& model, const Calibration& calibration, const std::map<std::string, Tensor>& weights,
                      std::map<std::string, sparse::GradientStatistics>& statistics,
                      const std::function<bool()>& stopped) {
  const TrainingModeScope evaluation(model, false);
  const WithoutGradients afterwards(model);
  for (int64_t batch = 0; batch < calibration.batches; ++batch) {
    if (stopped && stopped()) return false;
    WithoutGradients::Clear(model);
    calibration.loss(batch).Backward();
    for (const auto& [name, weight] : weights) {
      const Tensor gradient = weight.grad();
      const auto found = statistics.try_emplace(name, weight.shape()).first;
      found->second.Add(gradient.defined() ? gradient : Tensor::Zeros(weight.shape()), name + ".weight");
    }
  }
  return true;
}

}  // namespace twofour::nn
