#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "twofour/core/dtype.h"
#include "twofour/nn/gpt.h"
#include "twofour/train/data/vocabulary.h"

namespace twofour::train {

/// A trained language model that is ready to use. Its linears are swapped for sparse ones if the run was sparse.
struct LoadedLanguageModel {
  std::unique_ptr<nn::Gpt> model;
  std::optional<Vocabulary> vocabulary;  ///< Only if the model was trained on text.
  std::filesystem::path source;          ///< The file that the weights are from.
};

/// Loads a model from a run's folder (its final weights, or else those of its newest checkpoint) or from one
/// checkpoint. It computes in the precision of the run, unless `activations` is another. Does not need the data. Throws
/// Error if the run's model is not a language model, if the run has no weights yet, or if a file is damaged.
LoadedLanguageModel LoadLanguageModel(const std::string& path, std::optional<DType> activations = std::nullopt);

}  // namespace twofour::train
