#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "twofour/core/dtype.h"
#include "twofour/nn/gpt.h"
#include "twofour/nn/model.h"
#include "twofour/train/data/vocabulary.h"
#include "twofour/train/data_record.h"
#include "twofour/train/program/config/trained_run.h"

namespace twofour::train {

/// A trained language model that is ready to use. Its linears are swapped for sparse ones if the run was sparse.
struct LoadedLanguageModel {
  std::unique_ptr<nn::Gpt> model;
  std::optional<Vocabulary> vocabulary;   ///< Only if the model was trained on text.
  std::filesystem::path source;           ///< The file that the weights are from.
  std::optional<int32_t> bos_token = {};  ///< The token that every text begins with.
  std::set<int32_t> eos_tokens = {};      ///< The tokens that end a text.
};

/// Loads a model from a run's folder (its final weights, or else those of its newest checkpoint) or from one
/// checkpoint, which `checkpoint` may name within the folder. It computes in the precision of the run, unless
/// `activations` is another. Does not need the data. Throws Error if the run's model is not a language model, if the
/// run has no weights yet, or if a file is damaged.
LoadedLanguageModel LoadLanguageModel(const std::string& path, std::optional<DType> activations = std::nullopt,
                                      const std::optional<std::string>& checkpoint = std::nullopt);

/// The same with the weights of an exported file: see LoadTrainedRunWith. Linears that are packed there are multiplied
/// as they are, and no dense weight is made for them.
LoadedLanguageModel LoadLanguageModelWith(const std::string& weights, const std::string& path,
                                          std::optional<DType> activations = std::nullopt);

/// Makes a run's model of any kind, with its weights. Does not need the data. Throws Error if a file is damaged.
std::unique_ptr<nn::Model> LoadModel(TrainedRun& run);

/// A trained model of samples that is ready to use, and the data that it was made with.
struct LoadedSampleModel {
  std::unique_ptr<nn::Model> model;
  DataRecord data;
};

/// Makes the model of a run whose data has classes or targets, from its config and its data.json. Does not need the
/// data. It computes in the precision of the run, unless `activations` is another. Throws Error if the run's model is a
/// language model, or if a file is damaged.
LoadedSampleModel LoadSampleModel(TrainedRun& run, std::optional<DType> activations = std::nullopt);

}  // namespace twofour::train
