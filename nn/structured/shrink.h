#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "twofour/core/faults.h"
#include "twofour/core/random.h"
#include "twofour/core/tensor.h"
#include "twofour/nn/calibration.h"
#include "twofour/nn/gpt.h"
#include "twofour/nn/mlp_stack.h"
#include "twofour/nn/model.h"
#include "twofour/nn/residual_mlp.h"
#include "twofour/nn/structured/part_importance.h"
#include "twofour/nn/structured/part_set.h"

namespace twofour::nn {

/// What stays of a model. 0 means all.
struct ShrinkOptions {
  PartImportance importance = PartImportance::kMagnitude;
  int64_t keep_heads = 0;    ///< Query heads of each block. Those that share a key head stay or go together.
  int64_t keep_neurons = 0;  ///< Hidden features of each MLP; of an MlpStack: of its widest hidden layer. Other layers
                             ///< keep the same share, rounded to the nearest number, and at least one.
  int64_t keep_blocks = 0;
};

/// Rules: no number is negative, something is to be kept, and neurons are not measured by kLoss.
void Check(const ShrinkOptions& options, const FieldPath& at, Faults& faults);

/// The rules that depend on the model, whose parts are those that FindParts gave: it has as many of each kind as are to
/// be kept, or more, and keep_heads is a multiple of the heads that share a key head.
void CheckFits(const ShrinkOptions& options, const std::vector<PartSet>& parts, const FieldPath& at, Faults& faults);

/// What became of a set of parts.
struct KeptParts {
  PartSet set = {};
  std::vector<double> importance = {};  ///< Of each part.
  std::vector<int64_t> kept = {};       ///< The parts that stay, in their order.
};

struct ShrinkReport {
  std::vector<KeptParts> sets = {};  ///< Those that were chosen from: blocks first, then what is in blocks that stay.
  int64_t parameters_before = 0, parameters_after = 0;
  /// The mean loss of the calibration data, if there is some. What the smaller model has is measured in the larger one,
  /// whose other parts say nothing meanwhile.
  std::optional<double> loss_before = {}, loss_after = {};
};

/// A model with fewer parts, that is not built yet.
struct ShrunkModel {
  using Options = std::variant<GptOptions, ResidualMlpOptions, MlpStackOptions>;
  Options options = {};
  std::vector<NamedTensor> parameters = {};  ///< What LoadStateDict puts into a model of these options.
  ShrinkReport report = {};
};

/// Takes the best parts of a trained model for a smaller one. Each block keeps its own best heads and neurons, each
/// hidden layer of an MlpStack its own best neurons, but as many as every other block. Of equally important parts, the
/// first ones stay. All importances are measured in the model as it is; where blocks go, those of what is in the others
/// come second. Returns nothing if `stopped` said so. Throws Error on options that Check or CheckFits finds fault with,
/// and as FindParts and ImportanceOf do. `model` is what it was afterwards, but its parameters have no gradients if
/// they were measured. Nothing else may use it meanwhile.
std::optional<ShrunkModel> Shrink(Model& model, const ShrinkOptions& options, const Calibration& calibration = {},
                                  const std::function<bool()>& stopped = {});

/// The model, with its weights. Draws from `generator` what dropout needs.
std::unique_ptr<Model> Build(const ShrunkModel& shrunk, Generator& generator);

}  // namespace twofour::nn
