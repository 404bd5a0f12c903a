#include "twofour/train/program/config/trained_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/nn/state_dict.h"
#include "twofour/nn/swap.h"
#include "twofour/sparse/mask_fit.h"
#include "twofour/train/checkpoint.h"
#include "twofour/train/data/text.h"
#include "twofour/train/exchange/adapter.h"
#include "twofour/train/exchange/weight_source.h"
#include "twofour/train/finite_check.h"
#include "twofour/train/program/config/build_low_precision.h"
#include "twofour/train/program/config/build_sparsity.h"
#include "twofour/train/program/config/options.h"
#include "twofour/train/program/config/quantized_run.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/validate.h"
#include "twofour/train/run_files.h"
#include "twofour/train/skipped_tensors.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

/// "step-300", also for "300"; other names stay as they are.
std::string CheckpointName(const std::string& given) { return ParseInteger(given) ? "step-" + given : given; }

/// ", expected one of: best, last, step-100"
std::string CheckpointNames(FileSystem& files, const fs::path& folder) {
  std::vector<std::string> names;
  const fs::path checkpoints = RunFiles{folder}.checkpoints();
  for (const char* const link : {"best", "last"}) {
    if (files.Exists(checkpoints / link)) names.emplace_back(link);
  }
  for (const int64_t step : CheckpointStore(files, checkpoints, 1).Steps())
    names.push_back(fmt::format("step-{}", step));
  return names.empty() ? ": it has none, expected no --checkpoint"
                       : fmt::format(", expected one of: {}", fmt::join(names, ", "));
}

RunPath FindTrainedRun(FileSystem& files, const std::string& argument, const std::optional<std::string>& checkpoint,
                       const char* option) {
  RunPath run = FindRun(option, argument);
  if (!checkpoint) return run;
  if (run.names_checkpoint) {
    throw Error(fmt::format("--checkpoint {}: {} {} names a checkpoint already, expected a run's folder", *checkpoint,
                            option, argument));
  }
  const fs::path named = RunFiles{run.folder}.checkpoints() / CheckpointName(*checkpoint);
  const bool is_name =
      !checkpoint->empty() && named.filename() == CheckpointName(*checkpoint) && !checkpoint->starts_with('.');
  if (!is_name || !files.Exists(named)) {
    throw Error(fmt::format("--checkpoint '{}': {} has no such checkpoint{}", *checkpoint, run.folder.string(),
                            CheckpointNames(files, run.folder)));
  }
  return FindRun("--checkpoint", named.string());
}

/// The step in a final model's metadata; nothing where it is missing or no step.
std::optional<int64_t> StepIn(const SafetensorsFile& file) {
  const auto found = file.metadata.find("step");
  if (found == file.metadata.end()) return std::nullopt;
  const std::optional<int64_t> step = ParseInteger(found->second);
  return step && *step >= 0 ? step : std::nullopt;
}

void ReadWeights(FileSystem& files, const std::string& argument, RunWeights weights, TrainedRun& run) {
  const RunFiles paths{run.path.folder};
  const bool base = weights == RunWeights::kAdapterBase && run.config.has_finetune();
  const fs::path model = base ? paths.adapter_base() : paths.model();
  if (base && run.path.names_checkpoint) {
    throw Error(fmt::format("{}: is a checkpoint, expected the run's folder: an adapter is added to its {}",
                            run.path.checkpoint->string(), model.filename().string()));
  }
  if (base && !files.Exists(model)) {
    throw Error(fmt::format("{}: expected a finished run, whose adapters are relative to {}", argument,
                            model.filename().string()));
  }
  if (!run.path.names_checkpoint && files.Exists(model)) {
    SafetensorsFile file = LoadSafetensors(files, model);
    run.source = model;
    TakeQuantizedWeights(file, run);
    SkipForeignTypes(file);
    run.step = StepIn(file);
    run.tensors = std::move(file.tensors);
    run.skipped = std::move(file.skipped);
    return;
  }
  if (!run.path.checkpoint) {
    throw Error(fmt::format("{}: the run has no weights yet, expected model.safetensors or a checkpoint", argument));
  }
  run.source = *run.path.checkpoint / CheckpointStore::kModelFile;
  if (run.config.has_quantization()) {
    throw Error(fmt::format("{}: is a checkpoint, expected the quantised run's model.safetensors",
                            run.path.checkpoint->string()));
  }
  run.tensors = CheckpointStore::LoadModel(files, *run.path.checkpoint);
  run.step = CheckpointStore::LoadState(files, *run.path.checkpoint).step;
  if (run.config.has_finetune()) {
    const Adapter adapter = TakeAdapter(run.tensors, run.config.finetune().alpha(), run.source.string());
    MergeAdapter(adapter, /*keep_zeros=*/false, run.tensors);
  }
}

/// Gives each sparse layer its mask back if weights were saved without masks: the masked weights are those that are
/// zero.
void AddMasks(nn::Module& model, TrainedRun& run) {
  for (const auto& [name, layer] : nn::FindSemiSparseLinears(model)) {
    const auto find = [&tensors = run.tensors](const std::string& wanted) {
      return std::ranges::find(tensors, wanted, &NamedTensor::name);
    };
    const auto weight = find(name + ".weight");
    if (weight == run.tensors.end() || find(name + ".weight_mask") != run.tensors.end()) continue;
    const Tensor& values = weight->tensor;
    if (values.dtype() != DType::kF32 || values.shape() != layer->weight().shape()) continue;  // Reported later.
    Tensor kept = Tensor::Empty(values.shape(), DType::kBool);
    std::transform(values.data<float>(), values.data<float>() + values.numel(), kept.mutable_data<bool>(),
                   [](float value) { return value != 0; });
    // These weights are dense, so the layer searches for a mask as in training.
    if (sparse::WhyKeepsTooMuch(sparse::Mask::FromTensor(kept), layer->options().plan)) continue;
    run.tensors.push_back({name + ".weight_mask", kept});
  }
}

void ReadConfig(TrainedRun& run) {
  run.config = WithDefaults(LoadTextConfig(RunFiles{run.path.folder}.config().string()));
  ValidateConfig(run.config, run.config);
}

DType ActivationsOf(const TrainedRun& run, std::optional<DType> asked_for) {
  return asked_for.value_or(ToActivationDType(run.config.training().precision()));
}

void SetStep(const std::optional<int64_t>& step, nn::Module& model) {
  if (!step) return;
  for (const auto& [name, layer] : nn::FindSemiSparseLinears(model)) layer->SetOptimizerStep(*step);
}

}  // namespace

TrainedRun LoadTrainedRun(const std::string& run, const std::optional<std::string>& checkpoint, const char* option,
                          RunWeights weights) {
  FileSystem& files = FileSystem::Default();
  TrainedRun trained{.path = FindTrainedRun(files, run, checkpoint, option)};
  ReadConfig(trained);
  ReadWeights(files, run, weights, trained);
  trained.path.hold.reset();  // The checkpoint was read.
  return trained;
}

TrainedRun LoadTrainedRunWith(const std::string& weights, const std::string& run, std::optional<DType> activations) {
  FileSystem& files = FileSystem::Default();
  TrainedRun trained{.path = FindRun("--run", run)};
  trained.path.hold.reset();  // Its weights are not read.
  ReadConfig(trained);
  WeightSource source = LoadWeightSource(files, weights, ActivationsOf(trained, activations));
  for (NamedTensor& named : source.file.tensors) {
    if (IsHalf(named.tensor.dtype())) named.tensor = named.tensor.To(DType::kF32);
  }
  SkipForeignTypes(source.file);
  trained.step = StepIn(source.file);
  trained.source = source.path;
  trained.tensors = std::move(source.file.tensors);
  trained.skipped = std::move(source.file.skipped);
  trained.packed = std::move(source.packed);
  return trained;
}

void GiveWeights(TrainedRun& run, nn::Model& model, std::optional<DType> activations) {
  // Beside packed weights no others are masked; activations may be pruned nevertheless.
  const proto::Sparsity& sparsity = run.config.sparsity();
  const bool sparse = sparsity.enabled() && !run.config.has_quantization() &&
                      (run.packed.empty() || sparsity.target() == proto::Sparsity::ACTIVATION);
  const std::string source = run.source.string();
  PlaceQuantizedWeights(run, ActivationsOf(run, activations));
  nn::PutPackedLinears(model, run.packed, source);
  run.packed.clear();
  if (sparse) SwapLayers(run.config, model);
  RequireNoneNeeded(run.skipped, model, source);
  if (sparse) AddMasks(model, run);
  // Told before the masks are read, so that a mask without a step counts as found at this one and stays in force. A
  // weight without a mask gets that of the step, which keeps all of it in a dense finish. Told again afterwards,
  // because a mask with a step sets the layer back to it.
  SetStep(run.step, model);
  nn::LoadStateDict(model, run.tensors, source);
  SetStep(run.step, model);
  run.tensors.clear();
  RequireFiniteTensors(source, model.NamedParameters());
  model.SetActivationDType(ActivationsOf(run, activations));
  if (!activations) RoundLinears(run.config, model);
  model.SetTraining(false);
}

}  // namespace twofour::train
