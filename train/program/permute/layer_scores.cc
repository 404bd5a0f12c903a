#include "twofour/train/program/permute/layer_scores.h"

#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/nn/calibration.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/swap.h"
#include "twofour/sparse/scores/weight_scores.h"

namespace twofour::train {

std::vector<LayerScores> MagnitudeScores(const proto::Config& config, nn::Module& model, const std::string& source) {
  const proto::Sparsity& sparsity = config.sparsity();
  // The swap knows which linears can be pruned. It is undone at once, and hands the same weights back.
  const nn::SwapReport report = nn::SwapLinearWithSemiSparseLinear(
      model, {.include = sparsity.include(), .exclude = sparsity.exclude(), .multiple_of = sparsity.multiple_of()});
  nn::SwapSemiSparseLinearWithLinear(model);
  if (report.converted.empty()) {
    throw Error(
        fmt::format("{}: sparsity.include, exclude and multiple_of of the run's config leave all {} linears "
                    "dense, expected some to prune",
                    source, report.kept_dense.size()));
  }
  std::map<std::string, Tensor> parameters;
  for (const NamedTensor& parameter : model.NamedParameters()) parameters[parameter.name] = parameter.tensor;
  std::vector<LayerScores> layers;
  for (const nn::SwapEntry& entry : report.converted) {
    layers.push_back({entry.name, parameters.at(entry.name + ".weight").Detach()});
  }
  return layers;
}

bool UseRia(Task& task, int64_t batches, const std::atomic<bool>& stop, std::vector<LayerScores>& layers) {
  std::map<std::string, const nn::Module*> modules;
  task.model().VisitModules([&](const std::string& name, nn::Module& module) { modules[name] = &module; });
  std::map<const nn::Module*, std::string> names;
  for (const LayerScores& layer : layers) names[modules.at(layer.name)] = layer.name + ".weight";
  nn::InputCollector collector(std::move(names), sparse::InputStatistics::Extent::kFeatures);
  const nn::Calibration calibration{.batches = batches,
                                    .loss = [&](int64_t batch) { return task.Loss(static_cast<uint64_t>(batch)); }};
  if (!nn::RunCalibration(task.model(), calibration, collector, [&] { return stop.load(); })) return false;
  for (LayerScores& layer : layers) {
    const sparse::InputStatistics& inputs = collector.Require(*modules.at(layer.name));
    layer.scores = sparse::ScoresOf(sparse::MaskScore::kRia, layer.scores, {.inputs = &inputs}, layer.name + ".weight");
  }
  return true;
}

}  // namespace twofour::train
