#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "twofour/nn/gpt.h"
#include "twofour/train/data/vocabulary.h"

namespace twofour::train {

/// A trained language model, ready to use: its MLPs swapped where the run's config says so.
struct LoadedLanguageModel {
  std::unique_ptr<nn::Gpt> model;
  std::optional<Vocabulary> vocabulary;  ///< Of a text.
  std::filesystem::path source;          ///< The file that its weights are from.
};

/// Loads the model of a run's folder (its final weights, or else those of its newest checkpoint), or that of one
/// checkpoint. Needs no data. Throws Error on a run of another kind, without weights, or with a file that is damaged.
LoadedLanguageModel LoadLanguageModel(const std::string& path);

}  // namespace twofour::train
