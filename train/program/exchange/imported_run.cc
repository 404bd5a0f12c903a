#include "twofour/train/program/exchange/imported_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/core/io/text.h"
#include "twofour/core/ops/layout.h"
#include "twofour/core/quote_for_message.h"
#include "twofour/nn/gpt.h"
#include "twofour/nn/state_dict.h"
#include "twofour/nn/swap.h"
#include "twofour/train/data/bpe/tokenizer_file.h"
#include "twofour/train/data_record.h"
#include "twofour/train/exchange/hugging_face.h"
#include "twofour/train/exchange/tensor_match.h"
#include "twofour/train/exchange/weight_source.h"
#include "twofour/train/finite_check.h"
#include "twofour/train/program/config/build.h"
#include "twofour/train/program/config/data_files.h"
#include "twofour/train/program/config/options.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/trained_run.h"
#include "twofour/train/program/config/validate.h"
#include "twofour/train/program/config/workload.h"
#include "twofour/train/program/exchange/name_map.h"
#include "twofour/train/run_files.h"
#include "twofour/train/run_path.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxConfigBytes = 1 << 20;
constexpr std::string_view kMask = "_mask";

std::optional<HuggingFaceModel> ReadHuggingFaceConfig(FileSystem& files, const WeightSource& source) {
  if (!source.config) return std::nullopt;
  return ParseHuggingFaceConfig(ReadText(files, *source.config, kMaxConfigBytes), source.config->string());
}

/// The run's config: that of the request, completed by what the source tells.
proto::Config ConfigOf(const ImportRequest& request, const WeightSource& source,
                       const std::optional<HuggingFaceModel>& theirs) {
  proto::Config config;
  if (!request.config.empty()) config = LoadTextConfig(request.config);
  config.clear_origin();
  if (config.name().empty()) config.set_name(FolderPath(request.out).filename().string());
  if (config.model().kind_case() == proto::Model::KIND_NOT_SET && theirs) {
    *config.mutable_model()->mutable_gpt() = ToProto(theirs->options);
    config.mutable_model()->mutable_gpt()->set_bos_token(theirs->bos_token);
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

/// Lets an imported language model without data know its tokenizer, or else how many tokens there are.
DataRecord TokensWithoutData(FileSystem& files, const WeightSource& source, const RunFiles& run, proto::Config& config,
                             std::vector<std::string>& notes) {
  const int64_t vocab_size = config.model().gpt().vocab_size();
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

/// How tensors of the source become parameters.
std::vector<TensorMatch> FindMatches(const ImportRequest& request, const std::optional<HuggingFaceModel>& theirs,
                                     SafetensorsFile& file) {
  std::vector<std::string> names;
  for (const NamedTensor& named : file.tensors) names.push_back(named.name);
  for (const SkippedTensor& skipped : file.skipped) names.push_back(skipped.name);
  std::set<std::string> left_out;
  std::vector<TensorMatch> matches;
  if (!request.name_map.empty()) {
    MappedNames mapped = ApplyNameMapFile(request.name_map, names);
    matches = std::move(mapped.matches);
    left_out.insert(mapped.skipped.begin(), mapped.skipped.end());
  } else if (theirs) {
    matches = MatchesOf(*theirs, names);
    std::ranges::copy_if(names, std::inserter(left_out, left_out.end()), IsConstant);
  } else {
    for (const std::string& name : names) matches.push_back({.theirs = name, .ours = {name}});
  }
  std::erase_if(file.tensors, [&](const NamedTensor& named) { return left_out.contains(named.name); });
  std::erase_if(file.skipped, [&](const SkippedTensor& skipped) { return left_out.contains(skipped.name); });
  return matches;
}

/// The names of tensors, as many as fit on a line.
std::string Names(const std::vector<std::string>& names) {
  constexpr size_t kMost = 5;
  std::vector<std::string> shown(names.begin(), names.begin() + std::ptrdiff_t(std::min(names.size(), kMost)));
  for (std::string& name : shown) name = QuoteForMessage(name);
  return fmt::format("{}{}", fmt::join(shown, ", "),
                     names.size() > kMost ? fmt::format(" and {} more", names.size() - kMost) : "");
}

/// A model's parameters by their names.
using Parameters = std::map<std::string, Tensor>;

/// Leaves out matches whose parameters the model lacks. Throws Error if it has some of them.
void KeepKnown(const std::string& path, const Parameters& parameters, std::vector<TensorMatch>& matches) {
  const auto is_unknown = [&](const std::string& ours) { return !parameters.contains(ours); };
  std::erase_if(matches, [&](const TensorMatch& match) {
    const auto unknown = std::ranges::count_if(match.ours, is_unknown);
    if (unknown == 0 || unknown == std::ssize(match.ours)) return unknown != 0;
    throw Error(fmt::format("{}: tensor {} becomes {}, of which the model has not all", path,
                            QuoteForMessage(match.theirs), Names(match.ours)));
  });
}

/// Completes a state by what it lacks: a tied head gets the embedding's weight, and other parameters their own
/// elements. Returns the names of the latter.
std::vector<std::string> Complete(const Parameters& parameters, std::vector<NamedTensor>& state) {
  std::map<const Tensor::Impl*, Tensor> given;  // By the parameter's elements.
  std::set<std::string> names;
  for (const NamedTensor& named : state) {
    given.emplace(parameters.at(named.name).impl().get(), named.tensor);
    names.insert(named.name);
  }
  std::vector<std::string> missing;
  for (const auto& [name, parameter] : parameters) {
    if (names.contains(name)) continue;
    const auto twin = given.find(parameter.impl().get());
    if (twin == given.end()) missing.push_back(name);
    state.push_back({name, twin == given.end() ? parameter : twin->second});
  }
  return missing;
}

/// Gives the masks of the model's weights, and what belongs to them, our names.
void RenameMasks(const Parameters& parameters, const std::vector<TensorMatch>& matches, SafetensorsFile& file) {
  const NoGradGuard no_grad;
  std::map<std::string, const TensorMatch*> match_of;
  for (const TensorMatch& match : matches) {
    const std::string& ours = match.ours.front();
    const size_t end = ours.rfind(kMask);
    const bool is_mask = end != std::string::npos && parameters.contains(ours.substr(0, end));
    if (is_mask && match.ours.size() == 1) match_of.emplace(match.theirs, &match);
  }
  for (NamedTensor& named : file.tensors) {
    const auto found = match_of.find(named.name);
    if (found == match_of.end()) continue;
    named.name = found->second->ours.front();
    if (found->second->transposed && named.tensor.rank() == 2) named.tensor = Transpose(named.tensor);
  }
}

/// Takes the masks of the model's weights, and what belongs to them, out of a file.
std::vector<NamedTensor> TakeMasks(const Parameters& parameters, SafetensorsFile& file) {
  std::vector<NamedTensor> masks;
  std::erase_if(file.tensors, [&](const NamedTensor& named) {
    const size_t end = named.name.rfind(kMask);
    if (end == std::string::npos || !parameters.contains(named.name.substr(0, end))) return false;
    masks.push_back(named);
    return true;
  });
  return masks;
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
  for (const auto& [name, layer] : nn::FindSemiSparseLinears(model)) {
    const bool has_mask = std::ranges::find(tensors, name + ".weight_mask", &NamedTensor::name) != tensors.end();
    if (has_mask || !layer->options().apply) continue;
    const Tensor effective = layer->EffectiveWeight();
    const float *const before = layer->weight().data<float>(), *const after = effective.data<float>();
    if (!std::equal(before, before + effective.numel(), after)) pruned.push_back(name);
  }
  if (pruned.empty()) return;
  notes.push_back(
      fmt::format("sparsity prunes {} weights that came without masks, so that the run's model computes "
                  "something else than the source's: {}",
                  pruned.size(), Names(pruned)));
}

/// Throws Error if tensors are missing or surplus. With --partial there are notes instead, unless all are missing.
void Report(const ImportRequest& request, const std::string& path, const Parameters& parameters,
            const std::vector<std::string>& missing, const std::vector<std::string>& surplus,
            std::vector<std::string>& notes) {
  if (request.partial) {
    if (missing.size() == parameters.size()) throw Error(fmt::format("{}: holds none of the model's tensors", path));
    if (!missing.empty()) {
      notes.push_back(fmt::format("{} tensors are missing and stay random: {}", missing.size(), Names(missing)));
    }
    if (!surplus.empty()) {
      notes.push_back(fmt::format("{} tensors are left out: {}", surplus.size(), Names(surplus)));
    }
    return;
  }
  std::vector<std::string> faults;
  if (!missing.empty()) {
    faults.push_back(fmt::format("{} of the model's tensors missing: {}", missing.size(), Names(missing)));
  }
  if (!surplus.empty()) {
    faults.push_back(fmt::format("{} tensors that the model does not have: {}", surplus.size(), Names(surplus)));
  }
  if (!faults.empty()) throw Error(fmt::format("{}: {}; --partial loads what fits", path, fmt::join(faults, "; ")));
}

/// Puts the source's tensors into the model. Returns the masks among them, which go with weights of the same names.
std::vector<NamedTensor> GiveTensors(const ImportRequest& request, const proto::Config& config,
                                     const std::optional<HuggingFaceModel>& theirs, WeightSource& source,
                                     nn::Module& model, std::vector<std::string>& notes) {
  const std::string path = source.path.string();
  Parameters parameters;
  std::map<std::string, Shape> shapes;
  for (const NamedTensor& parameter : model.NamedParameters()) {
    parameters.emplace(parameter.name, parameter.tensor);
    shapes.emplace(parameter.name, parameter.tensor.shape());
  }
  std::vector<TensorMatch> matches = FindMatches(request, theirs, source.file);
  RenameMasks(parameters, matches, source.file);
  KeepKnown(path, parameters, matches);
  std::vector<NamedTensor> state = TakeMatched(source.file, matches, shapes, path);
  const std::vector<std::string> missing = Complete(parameters, state);
  std::vector<NamedTensor> masks;
  if (config.sparsity().enabled()) masks = TakeMasks(parameters, source.file);
  std::vector<std::string> surplus;
  for (const NamedTensor& named : source.file.tensors) surplus.push_back(named.name);
  for (const SkippedTensor& skipped : source.file.skipped) surplus.push_back(skipped.name);
  Report(request, path, parameters, missing, surplus, notes);
  nn::LoadStateDict(model, state, path);
  RequireFiniteTensors(path, model.NamedParameters());
  return masks;
}

}  // namespace

ImportedRun ImportRun(const ImportRequest& request) {
  FileSystem& files = FileSystem::Default();
  const fs::path folder = FolderPath(request.out);
  RunFolder::CheckFree(files, folder, request.if_exists);
  WeightSource source = LoadWeightSource(files, request.from);
  const std::optional<HuggingFaceModel> theirs = ReadHuggingFaceConfig(files, source);
  proto::Config config = ConfigOf(request, source, theirs);
  ImportedRun imported;
  DataRecord record;
  std::unique_ptr<nn::Model> model;
  const bool has_data = config.data().kind_case() != proto::Data::KIND_NOT_SET;
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
  const std::vector<NamedTensor> masks = GiveTensors(request, config, theirs, source, *model, imported.notes);
  std::vector<NamedTensor> tensors = model->NamedParameters();
  std::ranges::copy(masks, std::back_inserter(tensors));
  const int64_t parameters = model->NumParameters();
  RequireUsable(config, source, tensors, *model, imported.notes);
  RunFolder::Create(files, folder, ToText(config), request.if_exists, [&](const RunFiles& paths) {
    SaveDataRecord(files, paths, record);
    SaveSafetensors(files, paths.model(), tensors, {{"format", "pt"}, {"step", "0"}});
  });
  imported.model = fmt::format("{} with {} parameters{}", model->type_name(), parameters,
                               masks.empty() ? "" : fmt::format(", {} masks", masks.size()));
  return imported;
}

}  // namespace twofour::train
