#include "twofour/train/program/config/load_model.h"

#include <fmt/format.h>

#include <iterator>

#include "twofour/core/error.h"
#include "twofour/core/faults.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/io/text.h"
#include "twofour/nn/init.h"
#include "twofour/train/data_record.h"
#include "twofour/train/program/config/build.h"
#include "twofour/train/program/config/options.h"
#include "twofour/train/run_files.h"

namespace twofour::train {
namespace {

/// The number of rows of the token embedding.
int64_t VocabularySize(const TrainedRun& run, int64_t width) {
  constexpr const char* kEmbedding = "transformer.wte.weight";
  for (const NamedTensor& named : run.tensors) {
    if (named.name != kEmbedding) continue;
    const Tensor& embedding = named.tensor;
    // Checked before a model of this size is made.
    if (embedding.dtype() == DType::kF32 && embedding.rank() == 2 && embedding.dim(0) >= 1 &&
        embedding.dim(0) <= nn::GptOptions::kMostVocabSize && embedding.dim(1) == width) {
      return embedding.dim(0);
    }
    throw Error(fmt::format("{}: tensor '{}' is {} {}, expected f32 [1 to {}, {}]", run.source.string(), kEmbedding,
                            NameOf(embedding.dtype()), ToString(embedding.shape()), nn::GptOptions::kMostVocabSize,
                            width));
  }
  for (const SkippedTensor& skipped : run.skipped) {
    if (skipped.name != kEmbedding) continue;
    throw Error(fmt::format("{}: tensor '{}': {}, expected f32 [1 to {}, {}]", run.source.string(), kEmbedding,
                            Describe(skipped), nn::GptOptions::kMostVocabSize, width));
  }
  throw Error(fmt::format("{}: holds no '{}', expected a gpt's weights", run.source.string(), kEmbedding));
}

/// The vocabulary of a run, if it has one. Throws Error if the run's data had another number of tokens than
/// `vocab_size`, the rows of the model's embedding. With `may_be_larger` the embedding may have rows for more tokens.
std::optional<Vocabulary> LoadVocabulary(FileSystem& files, const RunFiles& run, int64_t vocab_size,
                                         bool may_be_larger) {
  const std::optional<DataRecord> data = LoadDataRecord(files, run);
  const auto fits_data = [&](int64_t size) { return may_be_larger ? size <= vocab_size : size == vocab_size; };
  if (data && data->vocab_size && !fits_data(*data->vocab_size)) {
    throw Error(fmt::format("{}: tells of {} different tokens, the model's embedding has {}", run.data().string(),
                            *data->vocab_size, vocab_size));
  }
  if (!files.Exists(run.vocabulary())) return std::nullopt;
  const std::string path = run.vocabulary().string();
  Vocabulary vocabulary = Vocabulary::FromJson(ReadOwnText(files, path, Vocabulary::kMaxJsonBytes), path);
  // The ids of token files may lie in a rounded-up range, which their tokenizer does not fill.
  const bool fits =
      vocabulary.kind() == Vocabulary::Kind::kBpe ? vocabulary.size() <= vocab_size : fits_data(vocabulary.size());
  if (!fits) {
    throw Error(fmt::format("{}: has {} tokens, the model's embedding {}", path, vocabulary.size(), vocab_size));
  }
  return vocabulary;
}

/// A model for the run's weights.
std::unique_ptr<nn::Gpt> BuildModelFor(const TrainedRun& run, int64_t vocab_size) {
  std::optional<nn::UnsetWeightsScope> unset;
  // All weights come from the file, and packed ones take the linears' place.
  if (!run.packed.empty() || !run.quantized.empty()) unset.emplace();
  return BuildGpt(run.config.model().gpt(), vocab_size, run.config.seed());
}

LoadedLanguageModel LoadLanguageModelOf(TrainedRun run, const std::string& path, std::optional<DType> activations) {
  const proto::Config& config = run.config;
  if (!config.model().has_gpt()) {
    throw Error(fmt::format("--run {}: the run's model is no language model, expected model.gpt", path));
  }
  LoadedLanguageModel loaded;
  loaded.source = run.source;
  const int64_t vocab_size = VocabularySize(run, nn::Resolved(ToOptions(config.model().gpt())).width);
  loaded.vocabulary =
      LoadVocabulary(FileSystem::Default(), {run.path.folder}, vocab_size, config.model().gpt().vocab_size() != 0);
  loaded.model = BuildModelFor(run, vocab_size);
  if (const int64_t token = config.model().gpt().bos_token(); token >= vocab_size) {
    throw Error(fmt::format("{}: model.gpt.bos_token: {}, expected below {}, the rows of the embedding",
                            RunFiles{run.path.folder}.config().string(), token, vocab_size));
  } else if (token >= 0) {
    loaded.bos_token = static_cast<int32_t>(token);
  }
  for (const int64_t token : config.model().gpt().eos_tokens()) loaded.eos_tokens.insert(static_cast<int32_t>(token));
  GiveWeights(run, *loaded.model, activations);
  return loaded;
}

}  // namespace

std::unique_ptr<nn::Model> LoadModel(TrainedRun& run) {
  const proto::Config& config = run.config;
  if (!config.model().has_gpt()) return LoadSampleModel(run).model;
  const int64_t vocab_size = VocabularySize(run, nn::Resolved(ToOptions(config.model().gpt())).width);
  std::unique_ptr<nn::Gpt> model = BuildModelFor(run, vocab_size);
  GiveWeights(run, *model);
  return model;
}

LoadedLanguageModel LoadLanguageModel(const std::string& path, std::optional<DType> activations,
                                      const std::optional<std::string>& checkpoint) {
  return LoadLanguageModelOf(LoadTrainedRun(path, checkpoint), path, activations);
}

LoadedLanguageModel LoadLanguageModelWith(const std::string& weights, const std::string& path,
                                          std::optional<DType> activations) {
  return LoadLanguageModelOf(LoadTrainedRunWith(weights, path, activations), path, activations);
}

LoadedSampleModel LoadSampleModel(TrainedRun& run, std::optional<DType> activations) {
  const RunFiles paths{run.path.folder};
  if (run.config.model().has_gpt()) {
    throw Error(fmt::format("{}: describes a language model, expected one of samples", paths.config().string()));
  }
  const std::optional<DataRecord> data = LoadDataRecord(FileSystem::Default(), paths);
  const bool tells = data && !data->OfTokens() && (data->class_names.size() >= 2 || data->OfNumbers());
  if (!tells || data->features.value_or(0) < 1) {
    throw Error(fmt::format("{}: {}, expected the features and the classes or targets of the run's model",
                            paths.data().string(), data ? "names none" : "is missing"));
  }
  LoadedSampleModel loaded{nullptr, *data};
  const int64_t outputs =
      data->OfNumbers() ? std::ssize(SchemaOf(*data).Places(TableColumn::Use::kTarget)) : std::ssize(data->class_names);
  loaded.model = BuildModel(run.config.model(), {*data->features, data->sample_shape, outputs}, run.config.seed());
  GiveWeights(run, *loaded.model, activations);
  return loaded;
}

}  // namespace twofour::train
