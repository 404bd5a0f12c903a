#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "twofour/core/tensor.h"
#include "twofour/nn/forward_observer.h"
#include "twofour/nn/module.h"
#include "twofour/sparse/prune/gradient_statistics.h"
#include "twofour/sparse/prune/input_statistics.h"

namespace twofour::nn {

/// The data that one-shot pruning takes activations and gradients from.
struct Calibration {
  int64_t batches = 0;
  /// Runs the model on batch 0, 1, ... and returns the mean loss, shape [].
  std::function<Tensor(int64_t batch)> loss = {};
};

/// Collects what the inputs of linears are like.
class InputCollector : public ForwardObserver {
 public:
  /// Of the linears that are named here.
  InputCollector(std::map<const Module*, std::string> names, sparse::InputStatistics::Extent extent)
      : names_(std::move(names)), extent_(extent) {}
  /// Throws Error as InputStatistics::Add does.
  void OnLinear(const Module& linear, const LinearInput& input) override;

  /// Null if no forward pass went through the linear. Require throws Error then.
  const sparse::InputStatistics* Of(const Module& linear) const;
  const sparse::InputStatistics& Require(const Module& linear) const;

 private:
  std::map<const Module*, std::string> names_;
  sparse::InputStatistics::Extent extent_;
  std::map<const Module*, sparse::InputStatistics> statistics_;
};

/// Runs the model on all batches, without a graph and in evaluation mode, while `observer` sees it. Returns false if
/// `stopped` said so before one of them.
bool RunCalibration(Module& model, const Calibration& calibration, ForwardObserver& observer,
                    const std::function<bool()>& stopped);

/// How forward passes come to the linears of a model.
struct PassOrder {
  std::vector<const Module*> linears;                   ///< In the order of their first calls.
  std::vector<std::map<const Module*, int64_t>> calls;  ///< In each batch, how often a linear is called.
};

/// Runs the model on all batches to see that. Returns nothing if it was stopped.
std::optional<PassOrder> OrderOfPasses(Module& model, const Calibration& calibration,
                                       const std::function<bool()>& stopped);

/// The same as RunCalibration up to the last call of `last` in each batch, which `order` knows: what follows is not
/// computed. The pass is left by an exception that is no Error, and that `calibration.loss` must let through. A batch
/// in which `last` is not called runs to its end.
bool RunCalibrationUpTo(const Module& last, const PassOrder& order, Module& model, const Calibration& calibration,
                        ForwardObserver& observer, const std::function<bool()>& stopped);

/// Calls `visit` after the backward pass of each batch, in evaluation mode, when parameters have the gradients of that
/// batch alone. Afterwards, no parameter of the model has a gradient. Returns false if it was stopped.
bool VisitGradients(Module& model, const Calibration& calibration, const std::function<void()>& visit,
                    const std::function<bool()>& stopped);

/// The mean of the batches' losses, without a graph and in evaluation mode. Nothing if it was stopped. Throws Error if
/// there is no batch, and (a runtime failure) if a loss is not finite.
std::optional<double> MeanLoss(Module& model, const Calibration& calibration, const std::function<bool()>& stopped);

/// The gradients of some weights in evaluation mode. Each batch counts as a sample. Afterwards, no parameter of the
/// model has a gradient. Returns false if it was stopped. Throws Error if a weight has no gradient in any batch,
/// because it is frozen or the loss does not depend on it.
bool CollectGradients(Module& model, const Calibration& calibration, const std::map<std::string, Tensor>& weights,
                      std::map<std::string, sparse::GradientStatistics>& statistics,
                      const std::function<bool()>& stopped);

}  // namespace twofour::nn
