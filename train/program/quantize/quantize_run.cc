#include "twofour/train/program/quantize/quantize_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/nn/input_extremes.h"
#include "twofour/nn/name_pattern.h"
#include "twofour/nn/prunable_linears.h"
#include "twofour/nn/smooth_quant.h"
#include "twofour/train/exchange/quantized_weights.h"
#include "twofour/train/program/config/data_files.h"
#include "twofour/train/program/config/quantized_run.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/prune/as_input.h"
#include "twofour/train/program/prune/prunable_run.h"
#include "twofour/train/program/prune/pruning_message.h"
#include "twofour/train/program/quantize/output_errors.h"
#include "twofour/train/program/quantize/quantization_report.h"
#include "twofour/train/program/quantize/weight_masks.h"
#include "twofour/train/program/start/new_folder.h"
#include "twofour/train/run_path.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using Linears = std::vector<nn::PrunableLinear>;

/// Whether calibration was stopped.
struct Stopped {};

/// Passes of the calibration data, which throw Stopped.
class Passes {
 public:
  Passes(const PrunableRun& run, nn::Calibration calibration, const std::atomic<bool>& stop)
      : run_(run), calibration_(std::move(calibration)), stop_(stop) {}
  bool has_data() const { return calibration_.batches > 0; }
  int64_t samples() const { return calibration_.batches * run_.samples_per_batch(); }
  void Run(nn::ForwardObserver& observer) const {
    if (!nn::RunCalibration(run_.model(), calibration_, observer, [this] { return stop_.load(); })) throw Stopped();
  }

 private:
  const PrunableRun& run_;
  nn::Calibration calibration_;
  const std::atomic<bool>& stop_;
};

Linears ChooseLinears(const QuantizeRequest& request, const PrunableRun& run, QuantizedRun& quantized) {
  const nn::PrunableChoice choice{.include = quantized.record.include(),
                                  .exclude = quantized.record.exclude(),
                                  .multiple_of = 1,
                                  .done = "quantised"};
  Linears linears = nn::FindPrunableLinears(run.model(), choice, &quantized.kept);
  const nn::NamePattern excluded("--exclude", request.exclude);
  const auto is_excluded = [&](const nn::SwapEntry& entry) { return excluded.Matches(entry.name); };
  if (!request.exclude.empty() && std::ranges::none_of(quantized.kept, is_excluded)) {
    quantized.notes.push_back(
        fmt::format("--exclude {}: no linear has such a name; names must match as a whole", request.exclude));
  }
  for (const nn::PrunableLinear& linear : linears) {
    if (request.weights != sparse::LowBitKind::kInt8 || linear.weight.dim(1) <= sparse::kMostInt8Columns) continue;
    throw Error(
        fmt::format("--run {}: {}: {} columns, expected at most {} for weights of int8; --exclude leaves it as it is",
                    request.run, linear.name, linear.weight.dim(1), sparse::kMostInt8Columns));
  }
  return linears;
}

/// Smooths the norms in front of these linears. Returns the names of all linears that read them.
std::set<std::string> SmoothNorms(const Linears& linears, double alpha, const PrunableRun& run, const Passes& passes,
                                  std::vector<std::string>& notes) {
  std::set<std::string> chosen, smoothed;
  for (const nn::PrunableLinear& linear : linears) chosen.insert(linear.name);
  std::vector<nn::SmoothableNorm> norms = nn::FindSmoothableNorms(run.model());
  std::erase_if(norms, [&](const nn::SmoothableNorm& norm) {
    return std::ranges::none_of(norm.readers, [&](const auto& reader) { return chosen.contains(reader.name); });
  });
  if (norms.empty()) {
    throw Error(
        "--smooth: none of the linears reads the output of a norm with a weight, which would take over a part "
        "of their inputs' ranges (model.gpt.norm: WEIGHTED_RMS or LAYER has one)");
  }
  std::map<const nn::Module*, std::string> first_readers;
  for (const nn::SmoothableNorm& norm : norms) first_readers[norm.readers[0].module] = norm.readers[0].name;
  nn::ExtremesCollector collector(first_readers);
  passes.Run(collector);
  for (const nn::SmoothableNorm& norm : norms) {
    const std::vector<float> magnitudes = collector.Require(*norm.readers[0].module).Magnitudes();
    nn::Smooth(norm, nn::SmoothingFactors(norm, magnitudes, alpha));
    for (const nn::ChannelReader& reader : norm.readers) smoothed.insert(reader.name);
  }
  std::vector<std::string> others;
  std::ranges::set_difference(chosen, smoothed, std::back_inserter(others));
  if (!others.empty()) {
    notes.push_back(
        fmt::format("not smoothed, because no norm with a weight comes before them: {}", fmt::join(others, ", ")));
  }
  return smoothed;
}

/// The range of all inputs of a linear.
sparse::Int8Range RangeOf(const nn::PrunableLinear& linear, const nn::ExtremesCollector& inputs) {
  const nn::InputExtremes& extremes = inputs.Require(*linear.module);
  const float least = std::ranges::min(extremes.least), largest = std::ranges::max(extremes.largest);
  const sparse::Int8Range range = sparse::RangeOf(least, largest);
  if (std::isfinite(range.scale)) return range;
  throw Error(fmt::format("{}: its inputs go from {} to {}, expected a range that fits into a float", linear.name,
                          least, largest));
}

/// `inputs` may be null, and is for int8 alone.
std::vector<QuantizedLinear> Round(const Linears& linears, const std::vector<PrunableRun::FoundMask>& masks,
                                   sparse::LowBitKind kind, const nn::ExtremesCollector* inputs) {
  std::vector<QuantizedLinear> rounded;
  for (size_t i = 0; i < linears.size(); ++i) {
    const nn::PrunableLinear& linear = linears[i];
    const auto& [mask, format] = masks[i];
    rounded.push_back(
        {.name = linear.name, .weight = Quantize(linear.weight, mask, format, kind, linear.name + ".weight")});
    if (inputs != nullptr) {
      std::get<MaskedInt8Matrix>(rounded.back().weight).activation = RangeOf(linear, *inputs);
    }
  }
  return rounded;
}

uint64_t BytesOf(const std::vector<NamedTensor>& tensors) {
  uint64_t bytes = 0;
  for (const NamedTensor& named : tensors)
    bytes += static_cast<uint64_t>(named.tensor.numel()) * SizeOf(named.tensor.dtype());
  return bytes;
}

/// The parameters of the model with these weights in place. Adds to each linear's report what the file holds.
std::vector<NamedTensor> TensorsOf(nn::Model& model, const std::vector<QuantizedLinear>& rounded,
                                   const std::vector<PrunableRun::FoundMask>& masks,
                                   std::vector<QuantizedLinearReport>& reports) {
  std::vector<NamedTensor> tensors;
  for (const NamedTensor& parameter : model.NamedParameters()) {
    const auto found = std::ranges::find_if(
        rounded, [&](const QuantizedLinear& linear) { return parameter.name == linear.name + ".weight"; });
    if (found == rounded.end()) {
      tensors.push_back(parameter);
      continue;
    }
    std::vector<NamedTensor> parts;
    AppendQuantizedWeight(found->name, found->weight, parts);
    const Tensor& weight = parameter.tensor;
    reports.push_back({.name = found->name,
                       .out_features = weight.dim(0),
                       .in_features = weight.dim(1),
                       .pattern = masks[static_cast<size_t>(found - rounded.begin())].format.ToString(),
                       .form = std::string(NameOf(FormOf(found->weight))),
                       .bytes_before = BytesOf({parameter}),
                       .bytes_after = BytesOf(parts)});
    std::ranges::move(parts, std::back_inserter(tensors));
  }
  return tensors;
}

proto::Quantization RecordOf(const QuantizeRequest& request, const PrunableRun& run) {
  proto::Quantization record;
  record.set_weights(std::string(NameOf(request.weights)));
  record.set_activations(request.round_inputs ? "int8" : "none");
  if (request.round_inputs) record.set_range(request.calibrate ? "tensor" : "token");
  if (request.smooth) record.set_smooth(*request.smooth);
  record.set_include(request.include.value_or(LinearsByDefault(run.config())));
  record.set_exclude(request.exclude);
  if (run.has_data()) {
    record.set_precision(request.activations ? PrecisionOf(*request.activations) : run.config().training().precision());
  }
  record.set_run(fs::absolute(run.folder()).lexically_normal().string());
  return record;
}

proto::Config ConfigOf(const QuantizeRequest& request, const PrunableRun& run, const QuantizedRun& quantized) {
  proto::Config config = run.config();
  config.set_name(FolderPath(request.out).filename().string());
  config.clear_initial_weights();
  config.clear_initial_masks();
  config.clear_adaptation();
  proto::ImportedFrom imported;
  if (config.imported_from().has_pruning()) *imported.mutable_pruning() = config.imported_from().pruning();
  imported.set_path(quantized.weights);
  *config.mutable_imported_from() = imported;
  *config.mutable_quantization() = quantized.record;
  return WithDefaults(config);
}

void RequireSound(const QuantizeRequest& request) {
  if (request.round_inputs && !TakesRoundedInputs(request.weights)) {
    throw Error("--activations int8: goes with --weights int8: no products of bytes take others");
  }
  if (request.calibrate && !request.round_inputs) {
    throw Error("--calibration: goes with --activations int8: it finds the ranges in which inputs are rounded");
  }
  if (request.smooth && !(*request.smooth >= 0 && *request.smooth <= 1)) {
    throw Error(fmt::format("--smooth: {}, expected 0 to 1", *request.smooth));
  }
}

/// What the new run's folder is to hold.
struct NewRun {
  QuantizedRun quantized;
  proto::Config config = {};
  std::vector<NamedTensor> tensors = {};
  std::optional<DataRecord> record = {};
  std::vector<std::string> data_notes = {};  ///< Of the data, and no part of the report.
};

std::optional<NewRun> Compute(const QuantizeRequest& request, const fs::path& folder, const std::atomic<bool>& stop) {
  PrunableRunRequest source{.run = request.run,
                            .checkpoint = request.checkpoint,
                            .accept_changed_data = request.accept_changed_data,
                            .activations = request.activations,
                            .threads = request.threads};
  if (NeedsSamples(request)) source.needs_data = request.calibrate ? "to calibrate with" : "for --smooth";
  source.reads_data = TakesSamples(request) || request.evaluate;
  const PrunableRun run(source);
  RequireApart(folder, run.folder());
  std::vector<std::string> needed = FilesNeededBy(run.config());
  needed.push_back(run.weights().string());
  RequireOutside(folder, needed);
  NewRun made{.quantized = {.weights = run.weights().string(), .record = RecordOf(request, run)}};
  QuantizedRun& quantized = made.quantized;
  std::vector<std::string>& notes = quantized.notes;
  if (request.evaluate && !run.has_data()) notes.emplace_back("the run has no data, so that losses are not known");
  const Linears linears = ChooseLinears(request, run, quantized);
  const std::vector<PrunableRun::FoundMask> masks = MasksOf(linears, run, request.weights, "--run " + request.run);
  nn::Calibration calibration;
  if (run.has_data() && TakesSamples(request)) {
    calibration = run.CalibrationOf({request.samples, request.seed, request.or_all_samples});
  }
  const Passes passes(run, std::move(calibration), stop);
  if (NeedsSamples(request)) {
    quantized.record.set_samples(passes.samples());
    quantized.record.set_seed(request.seed);
  }
  const bool evaluates = request.evaluate && run.has_data();
  if (evaluates && !(quantized.loss_before = run.Loss(stop))) return std::nullopt;
  if (quantized.loss_before && !std::isfinite(*quantized.loss_before)) {
    throw Error(fmt::format("--run {}: its evaluation loss is {} before anything is rounded, expected a finite one",
                            request.run, *quantized.loss_before));
  }
  std::set<std::string> smoothed;
  if (request.smooth) smoothed = SmoothNorms(linears, *request.smooth, run, passes, notes);
  std::optional<nn::ExtremesCollector> inputs;
  if (request.calibrate) {
    std::map<const nn::Module*, std::string> names;
    for (const nn::PrunableLinear& linear : linears) names.emplace(linear.module, linear.name);
    passes.Run(inputs.emplace(names));
  }
  const std::vector<QuantizedLinear> rounded = Round(linears, masks, request.weights, inputs ? &*inputs : nullptr);
  made.tensors = TensorsOf(run.model(), rounded, masks, quantized.linears);
  OutputErrors errors(linears, rounded, request.round_inputs);
  if (passes.has_data() && request.output_errors) passes.Run(errors);
  for (QuantizedLinearReport& report : quantized.linears) {
    report.smoothed = smoothed.contains(report.name);
    report.output_error = errors.Of(report.name);
  }
  made.config = ConfigOf(request, run, quantized);
  if (evaluates && !(quantized.loss_after = run.LossOfRun(made.config, made.tensors, stop))) return std::nullopt;
  if (quantized.loss_after && !std::isfinite(*quantized.loss_after)) {
    notes.emplace_back("the evaluation loss after rounding is not finite");
  }
  made.data_notes = run.notes(), made.record = run.record();
  return made;
}

}  // namespace

bool NeedsSamples(const QuantizeRequest& request) { return request.calibrate || request.smooth.has_value(); }
bool TakesSamples(const QuantizeRequest& request) { return NeedsSamples(request) || request.output_errors; }

std::string LinearsByDefault(const proto::Config& config) {
  return config.model().has_gpt() ? "transformer\\.h\\..*" : proto::Sparsity().include();
}

std::optional<QuantizedRun> QuantizeRun(const QuantizeRequest& request, const std::atomic<bool>& stop) {
  FileSystem& files = FileSystem::Default();
  const fs::path folder = FolderPath(request.out);
  RunFolder::CheckFree(files, folder, request.if_exists);
  RequireSound(request);
  std::optional<NewRun> made;
  try {
    made = AsInput([&] { return Compute(request, folder, stop); });
  } catch (const Stopped&) {
    return std::nullopt;
  }
  if (!made) return std::nullopt;
  RunFolder::Create(files, folder, ToText(made->config), request.if_exists, [&](const RunFiles& paths) {
    if (made->record) SaveDataRecord(files, paths, *made->record);
    SaveSafetensors(files, paths.model(), made->tensors, {{"format", "pt"}, {"step", "0"}});
    SaveQuantizationReport(files, paths.quantization(), request, made->quantized);
  });
  std::vector<std::string>& notes = made->quantized.notes;
  notes.insert(notes.begin(), made->data_notes.begin(), made->data_notes.end());
  return std::move(made->quantized);
}

}  // namespace twofour::train
