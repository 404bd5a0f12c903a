#include "twofour/train/program/permute/permuted_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <utility>

#include "twofour/core/ceil_div.h"
#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/nn/channel_groups.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/permutation/channel_search.h"
#include "twofour/sparse/permutation/pattern_mask.h"
#include "twofour/train/data_record.h"
#include "twofour/train/program/config/data_files.h"
#include "twofour/train/program/config/load_model.h"
#include "twofour/train/program/config/quantized_run.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/trained_run.h"
#include "twofour/train/program/permute/layer_scores.h"
#include "twofour/train/program/permute/permutation_file.h"
#include "twofour/train/program/start/new_folder.h"
#include "twofour/train/program/start/run_data.h"
#include "twofour/train/program/start/start_computing.h"
#include "twofour/train/run_path.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

using Orders = std::vector<sparse::ChannelOrder>;

std::string Source(const PermuteRequest& request) { return fmt::format("--from {}", request.from); }

/// The run's weights in its model and, for RIA, its data.
struct Loaded {
  proto::Config config;
  fs::path weights;
  std::optional<DataRecord> record;
  std::unique_ptr<nn::Model> model;  // Null where the workload has it.
  Workload workload;
  int64_t batches = 0;  // For RIA.
  std::vector<std::string> notes;

  nn::Model& ModelOf() { return model ? *model : *workload.model; }
};

/// How many batches RIA's activations come from. Throws Error if they would be more than the data.
int64_t BatchesOf(const PermuteRequest& request, const Workload& workload) {
  const int64_t most = CeilDiv(workload.training_units, workload.task->units_per_batch());
  if (!request.batches) return std::min(most, PermuteRequest::kUsualBatches);
  if (*request.batches <= most) return *request.batches;
  throw Error(fmt::format(
      "--batches: {}, expected at most {}, which are the training data once: {} {} in batches of {}", *request.batches,
      most, workload.training_units, workload.task->unit(), workload.task->units_per_batch()));
}

Loaded Load(const PermuteRequest& request) {
  TrainedRun run = LoadTrainedRun(request.from, std::nullopt, "--from");
  RequireNotQuantized(run.config, Source(request));
  if (run.config.sparsity().enabled()) {
    throw Error(fmt::format(
        "{}: sparsity is enabled, expected a dense run: a mask holds for one order of channels only", Source(request)));
  }
  StartComputing(request.threads ? request.threads : run.config.threads());
  Loaded loaded;
  loaded.config = run.config;
  loaded.weights = run.source;
  loaded.record = LoadDataRecord(FileSystem::Default(), {run.path.folder});
  if (!request.ria) {
    loaded.model = LoadModel(run);
    return loaded;
  }
  if (run.config.model().has_gpt() && DataPaths(run.config.data()).empty()) {
    throw Error(fmt::format("{}: the run has no data, expected one with data for RIA's activations", Source(request)));
  }
  RunData data = LoadRunData({run.path.folder, run.config}, run.config, request.accept_changed_data);
  loaded.notes = std::move(data.notes);
  std::ranges::copy(data.workload.notes, std::back_inserter(loaded.notes));
  loaded.workload = std::move(data.workload);
  GiveWeights(run, *loaded.workload.model);
  loaded.batches = BatchesOf(request, loaded.workload);
  return loaded;
}

std::vector<nn::ChannelGroup> FindGroups(const PermuteRequest& request, nn::Model& model) {
  std::vector<nn::ChannelGroup> groups = nn::FindChannelGroups(model);
  if (request.hidden_only) {
    std::erase_if(groups, [](const nn::ChannelGroup& group) { return group.name == nn::kResidualChannels; });
  }
  if (groups.empty()) {
    throw Error(fmt::format("{}: its {} has no channels that may be reordered, expected a model with MLPs",
                            Source(request), model.type_name()));
  }
  return groups;
}

/// The group whose order this axis of a parameter follows.
std::optional<size_t> GroupOf(const std::string& parameter, int axis, const std::vector<nn::ChannelGroup>& groups) {
  for (size_t i = 0; i < groups.size(); ++i) {
    for (const nn::ChannelUse& use : groups[i].uses) {
      if (use.parameter == parameter && use.axis == axis) return i;
    }
  }
  return std::nullopt;
}

std::vector<sparse::OrderedScores> WithOrders(const std::vector<LayerScores>& layers,
                                              const std::vector<nn::ChannelGroup>& groups) {
  std::vector<sparse::OrderedScores> matrices;
  for (const auto& [name, scores] : layers) {
    const std::string weight = name + ".weight";
    matrices.push_back({.name = weight,
                        .scores = scores,
                        .row_order = GroupOf(weight, 0, groups),
                        .column_order = GroupOf(weight, 1, groups)});
  }
  return matrices;
}

double Kept(const Tensor& scores, const sparse::OrderedScores& matrix, const sparse::VnmPattern& pattern) {
  return sparse::RetainedL1(scores, sparse::FindPatternMask(scores, pattern, matrix.name));
}

/// The orders of a file, and what masks keep before and after.
sparse::ChannelSearchResult Apply(Orders orders, const std::vector<sparse::OrderedScores>& matrices,
                                  const sparse::VnmPattern& pattern) {
  sparse::ChannelSearchResult result;
  for (const sparse::OrderedScores& matrix : matrices) {
    result.kept_before.push_back(Kept(matrix.scores, matrix, pattern));
    Tensor scores = matrix.scores;
    if (matrix.row_order) scores = sparse::Reordered(scores, 0, orders[*matrix.row_order]);
    if (matrix.column_order) scores = sparse::Reordered(scores, 1, orders[*matrix.column_order]);
    result.kept_after.push_back(Kept(scores, matrix, pattern));
  }
  result.orders = std::move(orders);
  return result;
}

std::vector<PermutedLayer> Describe(const std::vector<LayerScores>& layers, const sparse::ChannelSearchResult& found) {
  std::vector<PermutedLayer> described;
  for (size_t i = 0; i < layers.size(); ++i) {
    described.push_back({.name = layers[i].name,
                         .out_features = layers[i].scores.dim(0),
                         .in_features = layers[i].scores.dim(1),
                         .kept_before = found.kept_before[i],
                         .kept_after = found.kept_after[i]});
  }
  return described;
}

proto::Config ConfigOf(const PermuteRequest& request, const Loaded& loaded) {
  proto::Config config = loaded.config;
  config.set_name(FolderPath(request.out).filename().string());
  config.clear_initial_weights();
  config.clear_origin();
  config.mutable_imported_from()->set_path(loaded.weights.string());
  return config;
}

/// Throws Error if the new run would take the place of something that it is made of or needs.
void RequireSourcesOutside(const fs::path& folder, const PermuteRequest& request, const Loaded& loaded) {
  std::vector<std::string> needed = FilesNeededBy(ConfigOf(request, loaded));
  needed.insert(needed.begin(), {loaded.weights.string(), request.permutation});
  RequireOutside(folder, needed);
}

}  // namespace

std::optional<PermutedRun> PermuteRun(const PermuteRequest& request, const std::atomic<bool>& stop) {
  FileSystem& files = FileSystem::Default();
  const fs::path folder = FolderPath(request.out);
  RunFolder::CheckFree(files, folder, request.if_exists);
  Loaded loaded = Load(request);
  RequireSourcesOutside(folder, request, loaded);
  nn::Model& model = loaded.ModelOf();
  const std::vector<nn::ChannelGroup> groups = FindGroups(request, model);
  std::optional<Permutation> given;
  if (!request.permutation.empty()) given = LoadPermutation(files, request.permutation, groups);
  std::vector<LayerScores> layers = MagnitudeScores(loaded.config, model, Source(request));
  if (request.ria && !UseRia(*loaded.workload.task, loaded.batches, stop, layers)) return std::nullopt;
  const std::vector<sparse::OrderedScores> matrices = WithOrders(layers, groups);
  sparse::ChannelSearchResult found;
  if (given) {
    found = Apply(std::move(given->orders), matrices, request.pattern);
  } else {
    std::vector<int64_t> sizes;
    for (const nn::ChannelGroup& group : groups) sizes.push_back(group.size);
    found = sparse::FindChannelOrders(
        matrices, sizes, {.pattern = request.pattern, .rounds = request.rounds, .seed = loaded.config.seed()}, &stop);
  }
  if (stop) return std::nullopt;
  // Orders that were given may have been searched for something else.
  const std::map<std::string, std::string> metadata =
      given ? given->metadata
            : std::map<std::string, std::string>{{"pattern", sparse::PatternName(request.pattern)},
                                                 {"score", request.ria ? "ria" : "magnitude"}};
  for (size_t i = 0; i < groups.size(); ++i) nn::ReorderChannels(model, groups[i], found.orders[i]);
  RunFolder::Create(files, folder, ToText(ConfigOf(request, loaded)), request.if_exists, [&](const RunFiles& paths) {
    if (loaded.record) SaveDataRecord(files, paths, *loaded.record);
    SaveSafetensors(files, paths.model(), model.NamedParameters(), {{"format", "pt"}, {"step", "0"}});
    SavePermutation(files, paths.permutation(), groups, found.orders, metadata);
  });
  return PermutedRun{.notes = std::move(loaded.notes), .layers = Describe(layers, found), .groups = groups.size()};
}

}  // namespace twofour::train
