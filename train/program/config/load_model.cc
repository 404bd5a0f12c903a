#include "twofour/train/program/config/load_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/core/io/text.h"
#include "twofour/nn/state_dict.h"
#include "twofour/nn/swap.h"
#include "twofour/sparse/mask_fit.h"
#include "twofour/train/checkpoint.h"
#include "twofour/train/data_record.h"
#include "twofour/train/program/config/build.h"
#include "twofour/train/program/config/build_sparsity.h"
#include "twofour/train/program/config/options.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/validate.h"
#include "twofour/train/run_files.h"
#include "twofour/train/run_path.h"
#include "twofour/train/skipped_tensors.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxVocabularyBytes = 1 << 20;

/// Tensors and the file they are from.
struct Weights {
  std::vector<NamedTensor> tensors;
  fs::path source;
  std::vector<SkippedTensor> skipped = {};
};

Weights LoadWeights(FileSystem& files, const std::string& argument, const RunPath& run) {
  const fs::path path = RunFiles{run.folder}.model();
  if (!run.names_checkpoint && files.Exists(path)) {
    SafetensorsFile file = LoadSafetensors(files, path);
    SkipForeignTypes(file);
    return {std::move(file.tensors), path, std::move(file.skipped)};
  }
  if (!run.checkpoint) {
    throw Error(fmt::format("{}: the run has no weights yet, expected model.safetensors or a checkpoint", argument));
  }
  return {CheckpointStore::LoadModel(files, *run.checkpoint), *run.checkpoint / CheckpointStore::kModelFile};
}

/// The number of rows of the token embedding.
int64_t VocabularySize(const Weights& weights, int64_t width) {
  constexpr const char* kEmbedding = "transformer.wte.weight";
  for (const NamedTensor& named : weights.tensors) {
    if (named.name != kEmbedding) continue;
    const Tensor& embedding = named.tensor;
    // Checked before a model of this size is made.
    if (embedding.dtype() == DType::kF32 && embedding.rank() == 2 && embedding.dim(0) >= 1 &&
        embedding.dim(0) <= kMaxVocabSize && embedding.dim(1) == width) {
      return embedding.dim(0);
    }
    throw Error(fmt::format("{}: tensor '{}' is {} {}, expected f32 [1 to {}, {}]", weights.source.string(), kEmbedding,
                            NameOf(embedding.dtype()), ToString(embedding.shape()), kMaxVocabSize, width));
  }
  for (const SkippedTensor& skipped : weights.skipped) {
    if (skipped.name != kEmbedding) continue;
    throw Error(fmt::format("{}: tensor '{}': {}, expected f32 [1 to {}, {}]", weights.source.string(), kEmbedding,
                            Describe(skipped), kMaxVocabSize, width));
  }
  throw Error(fmt::format("{}: holds no '{}', expected a gpt's weights", weights.source.string(), kEmbedding));
}

/// The vocabulary of a run, if it has one. Throws Error if the run's data had another number of tokens than
/// `vocab_size`, the rows of the model's embedding.
std::optional<Vocabulary> LoadVocabulary(FileSystem& files, const RunFiles& run, int64_t vocab_size) {
  const std::optional<DataRecord> data = LoadDataRecord(files, run);
  if (data && data->vocab_size && *data->vocab_size != vocab_size) {
    throw Error(fmt::format("{}: tells of {} different tokens, the model's embedding has {}", run.data().string(),
                            *data->vocab_size, vocab_size));
  }
  if (!files.Exists(run.vocabulary())) return std::nullopt;
  const std::string path = run.vocabulary().string();
  Vocabulary vocabulary = Vocabulary::FromJson(ReadOwnText(files, path, kMaxVocabularyBytes), path);
  if (vocabulary.size() != vocab_size) {
    throw Error(fmt::format("{}: has {} tokens, the model's embedding {}", path, vocabulary.size(), vocab_size));
  }
  return vocabulary;
}

/// Gives each sparse layer its mask back if weights were saved without masks: the masked weights are those that are
/// zero.
void AddMasks(nn::Module& model, Weights& weights) {
  for (const auto& [name, layer] : nn::FindSemiSparseLinears(model)) {
    const auto find = [&tensors = weights.tensors](const std::string& wanted) {
      return std::find_if(tensors.begin(), tensors.end(),
                          [&](const NamedTensor& named) { return named.name == wanted; });
    };
    const auto weight = find(name + ".weight");
    if (weight == weights.tensors.end() || find(name + ".weight_mask") != weights.tensors.end()) continue;
    const Tensor& values = weight->tensor;
    if (values.dtype() != DType::kF32 || values.shape() != layer->weight().shape()) continue;  // Reported later.
    Tensor kept = Tensor::Empty(values.shape(), DType::kBool);
    std::transform(values.data<float>(), values.data<float>() + values.numel(), kept.mutable_data<bool>(),
                   [](float value) { return value != 0; });
    // These weights are dense, so the layer searches for a mask as in training.
    if (sparse::WhyKeepsTooMuch(sparse::Mask::FromTensor(kept), layer->options().plan)) continue;
    weights.tensors.push_back({name + ".weight_mask", kept});
  }
}

}  // namespace

LoadedLanguageModel LoadLanguageModel(const std::string& path, std::optional<DType> activations) {
  FileSystem& files = FileSystem::Default();
  const RunPath run = FindRun("--run", path);
  const proto::Config config = WithDefaults(LoadTextConfig(RunFiles{run.folder}.config().string()));
  ValidateConfig(config, config);
  if (!config.model().has_gpt()) {
    throw Error(fmt::format("--run {}: the run's model is no language model, expected model.gpt", path));
  }
  LoadedLanguageModel loaded;
  Weights weights = LoadWeights(files, path, run);
  loaded.source = weights.source;
  const int64_t vocab_size = VocabularySize(weights, nn::Resolved(ToOptions(config.model().gpt())).width);
  loaded.vocabulary = LoadVocabulary(files, {run.folder}, vocab_size);
  loaded.model = BuildGpt(config.model().gpt(), vocab_size, config.seed());
  if (config.sparsity().enabled()) SwapLayers(config, *loaded.model);
  RequireNoneNeeded(weights.skipped, *loaded.model, weights.source.string());
  if (config.sparsity().enabled()) AddMasks(*loaded.model, weights);
  nn::LoadStateDict(*loaded.model, weights.tensors, weights.source.string());
  loaded.model->SetActivationDType(activations.value_or(ToActivationDType(config.training().precision())));
  loaded.model->SetTraining(false);
  return loaded;
}

}  // namespace twofour::train
