#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "twofour/nn/calibration.h"
#include "twofour/nn/model.h"
#include "twofour/nn/structured/part_set.h"

namespace twofour::nn {

/// How important a part of a model is.
enum class PartImportance {
  /// The Euclidean norm of its weights.
  kMagnitude,
  /// Of a neuron the mean of |activation| over all rows of the calibration data, of heads the mean norm of what they
  /// hand to the linear behind them. Of a block 1 - the mean cosine of its input and its output (block influence: Men
  /// et al., "ShortGPT", 2024).
  kActivation,
  /// The sum over batches of |sum over its weights of weight * gradient| (Molchanov et al., "Importance Estimation for
  /// Neural Network Pruning", 2019; Ma et al., "LLM-Pruner", 2023): how much the loss would change without it, to first
  /// order.
  kGradient,
  /// By how much the mean loss rises without it. One evaluation of the calibration data for each part, so not for
  /// neurons.
  kLoss,
};

/// "magnitude", "activation", "gradient", "loss".
std::string_view NameOf(PartImportance importance);

/// Whether it is measured on calibration data.
bool NeedsCalibration(PartImportance importance);

/// How important each part of each of some sets of FindParts is. Returns nothing if `stopped` said so. Throws Error if
/// there is no data where it is needed, on kLoss for neurons, on kGradient if a weight requires no gradient, on
/// kActivation if no batch comes to a set, and (a runtime failure) if a number is not finite.
///
/// kLoss changes weights and puts them back. kGradient leaves no parameter with a gradient. With either, nothing else
/// may use the model meanwhile.
std::optional<std::vector<std::vector<double>>> ImportanceOf(Model& model, const std::vector<PartSet>& sets,
                                                             PartImportance importance, const Calibration& calibration,
                                                             const std::function<bool()>& stopped = {});

}  // namespace twofour::nn
