#include "twofour/train/program/exchange/imported_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <memory>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/core/io/text.h"
#include "twofour/nn/gpt.h"
#include "twofour/nn/swap.h"
#include "twofour/sparse/pattern.h"
#include "twofour/train/data/bpe/tokenizer_file.h"
#include "twofour/train/data_record.h"
#include "twofour/train/exchange/hugging_face.h"
#include "twofour/train/exchange/weight_source.h"
#include "twofour/train/program/config/build.h"
#include "twofour/train/program/config/data_files.h"
#include "twofour/train/program/config/options.h"
#include "twofour/train/program/config/quantized_run.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/trained_run.h"
#include "twofour/train/program/config/validate.h"
#include "twofour/train/program/config/workload.h"
#include "twofour/train/program/exchange/imported_tensors.h"
#include "twofour/train/program/start/new_folder.h"
#include "twofour/train/run_files.h"
#include "twofour/train/run_path.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxConfigBytes = 1 << 20;

std::optional<HuggingFaceModel> ReadHuggingFaceConfig(FileSystem& files, const WeightSource& source) {
  if (!source.config) return std::nullopt;
  HuggingFaceModel model =
      ParseHuggingFaceConfig(ReadText(files, *source.config, kMaxConfigBytes), source.config->string());
  const fs::path generation = source.config->parent_path() / "generation_config.json";
  if (files.Exists(generation)) {
    TakeGenerationConfig(ReadText(files, generation, kMaxConfigBytes), generation.string(), model);
  }
  return model;
}

/// The run's config: that of the request, completed by what the source tells.
proto::Config ConfigOf(const ImportRequest& request, const WeightSource& source,
                       const std::optional<HuggingFaceModel>& theirs) {
  proto::Config config;
  if (!request.config.empty()) config = LoadTextConfig(request.config);
  RequireNotQuantized(config, "--config " + request.config);
  config.clear_origin();
  if (config.name().empty()) config.set_name(FolderPath(request.out).filename().string());
  if (config.model().kind_case() == proto::Model::KIND_NOT_SET && theirs) {
    proto::Gpt& gpt = *config.mutable_model()->mutable_gpt();
    gpt = ToProto(theirs->options);
    gpt.set_bos_token(theirs->bos_token);
    gpt.set_pad_token(theirs->pad_token);
    gpt.mutable_eos_tokens()->Assign(theirs->eos_tokens.begin(), theirs->eos_tokens.end());
  }
  config = Changed(config, request.changes);
  if (config.model().kind_case() == proto::Model::KIND_NOT_SET) {
    throw Error(
        fmt::format("{}: there is no config.json that describes the model, expected one or --config FILE with "
                    "a model",
                    source.path.parent_path().empty() ? "." : source.path.parent_path().string()));
  }
  config.mutable_imported_from()->set_path(request.from);
  return config;
}

/// Throws Error if the new run would take the place of something that it is made of or needs.
void RequireSourcesOutside(const fs::path& folder, const ImportRequest& request, const WeightSource& source,
                           const proto::Config& config) {
  std::vector<std::string> needed = FilesNeededBy(config);
  needed.insert(needed.begin(), {source.path.string(), request.config, request.name_map});
  RequireOutside(folder, needed);
}

/// Lets an imported language model without data know its tokenizer, or else how many tokens there are.
DataRecord TokensWithoutData(FileSystem& files, const WeightSource& source, const RunFiles& run, proto::Config& config,
                             std::vector<std::string>& notes) {
  const int64_t vocab_size = config.model().gpt().vocab_size();
  config.clear_data();
  TokenData tokens;
  tokens.description = fmt::format("imported from {}, without data", config.imported_from().path());
  tokens.vocab_size = vocab_size;
  if (source.tokenizer) {
    try {
      Vocabulary vocabulary = Vocabulary::Bpe(LoadTokenizer(files, *source.tokenizer));
      if (vocab_size != 0 && vocabulary.size() > vocab_size) {
        throw Error(
            fmt::format("{}: has {} tokens, the model {}", source.tokenizer->string(), vocabulary.size(), vocab_size));
      }
      tokens.vocab_size = vocabulary.size();
      tokens.vocabulary = std::move(vocabulary);
      config.mutable_data()->mutable_text()->set_tokenizer(run.vocabulary().string());  // The run's own copy.
    } catch (const Error& error) {
      notes.push_back(fmt::format("the tokenizer cannot be used, so that tokens are ids: {}", error.what()));
    }
  }
  if (!tokens.vocabulary) config.mutable_data()->mutable_tokens();
  config = WithDefaults(config);
  return DescribeData(tokens, {});
}

/// Says what keeps weights that came without masks, but with zeros in one direction only, as one-shot methods leave
/// them.
std::string HowToKeep(const std::vector<const Tensor*>& pruned) {
  const bool rows = std::ranges::none_of(pruned, [](const Tensor* weight) {
    return sparse::FindPatternViolation(*weight, sparse::PatternAxis::kRows).has_value();
  });
  return rows ? ". They are 2:4 along rows: --set sparsity.algorithm=ROWS keeps them as they are" : "";
}

/// Throws Error if the run's model would not take these tensors. Swaps the linears of a sparse run's model. Notes which
/// weights that came without masks the run's recipe changes.
void RequireUsable(const proto::Config& config, const WeightSource& source, const std::vector<NamedTensor>& tensors,
                   nn::Model& model, std::vector<std::string>& notes) {
  TrainedRun run{.path = {}};
  run.config = config;
  run.source = source.path;
  run.tensors = tensors;
  run.step = 0;
  GiveWeights(run, model);
  std::vector<std::string> pruned;
  std::vector<const Tensor*> weights;
  for (const auto& [name, layer] : nn::FindSemiSparseLinears(model)) {
    const bool has_mask = std::ranges::find(tensors, name + ".weight_mask", &NamedTensor::name) != tensors.end();
    if (has_mask || !layer->options().apply) continue;
    const Tensor effective = layer->EffectiveWeight();
    const float *const before = layer->weight().data<float>(), *const after = effective.data<float>();
    if (std::equal(before, before + effective.numel(), after)) continue;
    pruned.push_back(name);
    weights.push_back(&layer->weight());
  }
  if (pruned.empty()) return;
  notes.push_back(
      fmt::format("sparsity prunes {} weights that came without masks, so that the run's model computes "
                  "something else than the source's: {}{}",
                  pruned.size(), TensorNames(pruned), HowToKeep(weights)));
}

}  // namespace

ImportedRun ImportRun(const ImportRequest& request) {
  FileSystem& files = FileSystem::Default();
  const fs::path folder = FolderPath(request.out);
  RunFolder::CheckFree(files, folder, request.if_exists);
  WeightSource source = LoadWeightSource(files, request.from);
  const std::optional<HuggingFaceModel> theirs = ReadHuggingFaceConfig(files, source);
  proto::Config config = ConfigOf(request, source, theirs);
  RequireSourcesOutside(folder, request, source, config);
  ImportedRun imported;
  DataRecord record;
  std::unique_ptr<nn::Model> model;
  // The config of an imported run without data names a kind of data, but no file.
  const bool has_data = config.data().kind_case() != proto::Data::KIND_NOT_SET &&
                        !(config.model().has_gpt() && DataPaths(config.data()).empty());
  if (has_data || !config.model().has_gpt()) {
    ValidateConfig(config);
    Workload workload = BuildWorkload(config);
    std::ranges::copy(workload.notes, std::back_inserter(imported.notes));
    record = std::move(workload.data_record);
    model = std::move(workload.model);
  } else {
    record = TokensWithoutData(files, source, {fs::absolute(folder)}, config, imported.notes);
    ValidateConfig(config);
    if (config.model().gpt().vocab_size() == 0) {
      throw Error("config: model.gpt.vocab_size: 0, expected the number of tokens, because there are no data");
    }
    model = BuildGpt(config.model().gpt(), *record.vocab_size, config.seed());
  }
  const ImportWishes wishes{.name_map = request.name_map,
                            .hugging_face = theirs,
                            .partial = request.partial,
                            .masks = config.sparsity().enabled()};
  const std::vector<NamedTensor> masks = GiveTensors(wishes, source, *model, imported.notes);
  std::vector<NamedTensor> tensors = model->NamedParameters();
  std::ranges::copy(masks, std::back_inserter(tensors));
  const int64_t parameters = model->NumParameters();
  RequireUsable(config, source, tensors, *model, imported.notes);
  RunFolder::Create(files, folder, ToText(config), request.if_exists, [&](const RunFiles& paths) {
    SaveDataRecord(files, paths, record);
    SaveSafetensors(files, paths.model(), tensors, {{"format", "pt"}, {"step", "0"}});
  });
  // A checkpoint has more beside a mask, as in X.weight_mask_step.
  const auto is_mask = [](const NamedTensor& named) { return named.name.ends_with("_mask"); };
  const auto num_masks = std::ranges::count_if(masks, is_mask);
  imported.model = fmt::format("{} with {} parameters{}", model->type_name(), parameters,
                               num_masks == 0 ? "" : fmt::format(", {} masks", num_masks));
  return imported;
}

}  // namespace twofour::train
