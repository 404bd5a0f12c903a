#include "twofour/train/program/prune/prunable_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/swap.h"
#include "twofour/nn/training_mode_scope.h"
#include "twofour/train/program/config/build_low_precision.h"
#include "twofour/train/program/config/data_files.h"
#include "twofour/train/program/config/load_model.h"
#include "twofour/train/program/config/quantized_run.h"
#include "twofour/train/program/config/trained_run.h"
#include "twofour/train/program/start/run_data.h"
#include "twofour/train/program/start/start_computing.h"

namespace twofour::train {
namespace {

bool HasData(const proto::Config& config) { return !config.model().has_gpt() || !DataPaths(config.data()).empty(); }

}  // namespace

PrunableRun::PrunableRun(const PrunableRunRequest& request) : activations_(request.activations) {
  TrainedRun run = LoadTrainedRun(request.run, request.checkpoint);
  RequireNotQuantized(run.config, fmt::format("--run {}", request.run));
  StartComputing(request.threads ? request.threads : run.config.threads());
  config_ = run.config;
  folder_ = run.path.folder;
  weights_ = run.source;
  record_ = LoadDataRecord(FileSystem::Default(), {run.path.folder});
  if (HasData(config_) && (request.reads_data || request.needs_data)) {
    RunData data = LoadRunData({run.path.folder, config_}, config_, request.accept_changed_data);
    notes_ = std::move(data.notes);
    std::ranges::copy(data.workload.notes, std::back_inserter(notes_));
    workload_ = std::move(data.workload);
    GiveWeights(run, *workload_->model, request.activations);
  } else {
    if (request.needs_data) {
      throw Error(
          fmt::format("--run {}: the run has no data, expected one with data {}", request.run, *request.needs_data));
    }
    model_ = LoadModel(run);
  }
  MakeDense(request.run);
  if (!activations_) RoundAsMasked();
}

void PrunableRun::MakeDense(const std::string& run) {
  const proto::Sparsity& sparsity = config_.sparsity();
  if (!sparsity.enabled()) return;
  if (sparsity.target() == proto::Sparsity::ACTIVATION) {
    throw Error(
        fmt::format("--run {}: the run prunes activations, expected a dense run or one with sparse weights", run));
  }
  for (const auto& [name, layer] : nn::FindSemiSparseLinears(model())) {
    if (!layer->options().apply) continue;
    kept_[name] = layer->mask().CountKept();
    if (layer->runs_dense()) continue;
    const auto& vnm = layer->vnm_in_force();
    masks_[name] = {layer->mask(), vnm ? sparse::MaskFormat::Vnm(*vnm)
                                       : layer->options().plan.PatternAt(std::numeric_limits<int64_t>::max())};
  }
  nn::SwapSemiSparseLinearWithLinear(model(), sparsity.apply());
}

/// Makes the linears that took the places of masked ones round as those did.
void PrunableRun::RoundAsMasked() {
  RoundLinears(config_, model());
  for (const auto& [name, found] : masks_) RoundUnder(name, nullptr);
}

void PrunableRun::RoundUnder(const std::string& linear, const sparse::Mask* mask) const {
  const auto own = masks_.find(linear);
  std::optional<sparse::Mask> under;
  std::optional<sparse::MaskFormat> format;
  if (mask != nullptr) {
    under = *mask;
  } else if (own != masks_.end()) {
    under = own->second.mask;
    // As SemiSparseLinear packs them: other formats are seen in the mask.
    if (own->second.format.is_vnm()) format = own->second.format;
  }
  model().VisitModules([&](const std::string& name, nn::Module& module) {
    auto* const layer = name == linear ? dynamic_cast<nn::Linear*>(&module) : nullptr;
    if (layer != nullptr) layer->SetRoundedMask(under, format);
  });
}

void PrunableRun::RequireEachStays(const std::vector<nn::SwapEntry>& kept_dense) const {
  for (const nn::SwapEntry& entry : kept_dense) {
    if (!kept_.contains(entry.name)) continue;
    throw Error(fmt::format("{}: the run has pruned it, and it would become dense ({}), expected to prune it again",
                            entry.name, entry.reason));
  }
}

nn::Calibration PrunableRun::CalibrationOf(const CalibrationSamples& samples) const {
  return train::CalibrationOf(*workload_, samples_per_batch(), samples, "--samples");
}

std::optional<double> PrunableRun::Loss(const std::atomic<bool>& stop) const {
  const NoGradGuard no_grad;
  const nn::TrainingModeScope evaluation(model(), false);
  const std::optional<EvalMetrics> metrics = workload_->task->EvaluateUnless(&stop);
  if (!metrics) return std::nullopt;
  return metrics->loss;
}

std::optional<double> PrunableRun::LossOfRun(const proto::Config& config, const std::vector<NamedTensor>& tensors,
                                             const std::atomic<bool>& stop) const {
  TrainedRun run;
  run.config = config;
  run.source = "the pruned run";
  SafetensorsFile file{.tensors = tensors, .metadata = {}};
  TakeQuantizedWeights(file, run);
  run.tensors = std::move(file.tensors);
  run.step = 0;
  GiveWeights(run, model(), activations_);
  return Loss(stop);
}

}  // namespace twofour::train
