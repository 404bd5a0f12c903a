#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "twofour/core/dtype.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/core/tensor.h"
#include "twofour/nn/model.h"
#include "twofour/nn/packed_linears.h"
#include "twofour/train/exchange/quantized_weights.h"
#include "twofour/train/run_path.h"

#include "config.pb.h"

namespace twofour::train {

/// A run whose weights are to be used.
struct TrainedRun {
  RunPath path;
  proto::Config config = {};          ///< The run's, valid, with all defaults.
  std::filesystem::path source = {};  ///< What the weights are from: a file, or a checkpoint's file.
  std::vector<NamedTensor> tensors = {};
  std::vector<SkippedTensor> skipped = {};  ///< See SafetensorsFile.
  std::optional<int64_t> step = {};         ///< Optimizer steps that the weights have had, where known.
  /// Linears that stay packed, for inference alone: the others are in `tensors`.
  std::vector<nn::PackedLinear> packed = {};
  /// Of a quantised run: linears whose weights are of few bits. They are not in `tensors`.
  std::vector<QuantizedLinear> quantized = {};
};

/// Which weights of a run that trained adapters. Others have only kFinal ones.
enum class RunWeights {
  kFinal,        ///< With the adapters merged.
  kAdapterBase,  ///< Those that the adapters are to be added to.
};

/// Reads the weights of `run`, a run's folder or one of its checkpoints: the final weights, or else those of the newest
/// checkpoint. With `checkpoint` ("best", "last", "step-300", "300") those of that checkpoint of the run. Throws Error
/// if the run has no such weights, or if a file is damaged; `option` is the argument that named the run.
TrainedRun LoadTrainedRun(const std::string& run, const std::optional<std::string>& checkpoint = std::nullopt,
                          const char* option = "--run", RunWeights weights = RunWeights::kFinal);

/// The same with the weights of a file that `trainer export` wrote of this run, in whatever format, or of a folder or
/// an index of such shards. Weights that products read as they are packed stay so. `activations`: see GiveWeights.
TrainedRun LoadTrainedRunWith(const std::string& weights, const std::string& run, std::optional<DType> activations);

/// Puts the run's weights into the model that its config describes. Swaps the linears of a sparse run first. The model
/// computes in the precision of the run, unless `activations` is another, and is no longer in training mode. What
/// becomes of weights of few bits: see PlaceQuantizedWeights. Throws Error if the weights are not those of such a
/// model. Takes the tensors out of `run`.
void GiveWeights(TrainedRun& run, nn::Model& model, std::optional<DType> activations = std::nullopt);

}  // namespace twofour::train
