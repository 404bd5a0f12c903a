#include "twofour/train/program/prune/shrunk_run.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <utility>
#include <variant>

#include "twofour/core/error.h"
#include "twofour/core/faults.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/nn/state_dict.h"
#include "twofour/train/data_record.h"
#include "twofour/train/program/config/build.h"
#include "twofour/train/program/config/data_files.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/validate.h"
#include "twofour/train/program/prune/as_input.h"
#include "twofour/train/program/prune/prunable_run.h"
#include "twofour/train/program/prune/shrink_report.h"
#include "twofour/train/program/start/new_folder.h"
#include "twofour/train/run_path.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

// The sizes of the smaller model. Everything else is as it was.

void SetSizes(const nn::GptOptions& options, proto::Model& model) {
  proto::Gpt& gpt = *model.mutable_gpt();
  gpt.set_depth(options.depth);
  gpt.set_width(options.width);
  gpt.set_heads(options.heads);
  gpt.set_kv_heads(options.kv_heads);
  gpt.set_head_features(options.head_features);
  gpt.set_hidden_features(options.hidden_features);
}
void SetSizes(const nn::ResidualMlpOptions& options, proto::Model& model) {
  model.mutable_residual_mlp()->set_num_blocks(options.num_blocks);
  model.mutable_residual_mlp()->set_hidden_features(options.hidden_features);
}
void SetSizes(const nn::MlpStackOptions& options, proto::Model& model) {
  model.mutable_mlp()->mutable_hidden_features()->Assign(options.hidden_features.begin(),
                                                         options.hidden_features.end());
}

proto::Config ConfigOf(const ShrinkRequest& request, const PrunableRun& run, const nn::ShrunkModel& shrunk) {
  proto::Config config = run.config();
  config.set_name(FolderPath(request.out).filename().string());
  config.clear_initial_weights();
  config.clear_initial_masks();
  config.clear_adaptation();
  config.clear_origin();
  config.mutable_imported_from()->set_path(run.weights().string());
  std::visit([&](const auto& options) { SetSizes(options, *config.mutable_model()); }, shrunk.options);
  return config;
}

/// Throws Error that names the arguments which are wrong.
void RequireSound(const nn::ShrinkOptions& options, nn::Model& model) {
  const FieldPath at("", {{"keep_heads", "--heads"},
                          {"keep_neurons", "--neurons"},
                          {"keep_blocks", "--blocks"},
                          {"importance", "--importance"}});
  Faults faults("", ": ");
  Check(options, at, faults);
  faults.Throw();
  CheckFits(options, nn::FindParts(model), at, faults);
  faults.Throw();
}

bool NeedsData(const ShrinkRequest& request) { return nn::NeedsCalibration(request.options.importance); }

}  // namespace

std::optional<ShrunkRun> ShrinkRun(const ShrinkRequest& request, const std::atomic<bool>& stop) {
  FileSystem& files = FileSystem::Default();
  const fs::path folder = FolderPath(request.out);
  RunFolder::CheckFree(files, folder, request.if_exists);
  PrunableRunRequest source{.run = request.run,
                            .checkpoint = request.checkpoint,
                            .accept_changed_data = request.accept_changed_data,
                            .threads = request.threads};
  if (NeedsData(request)) source.needs_data = "to measure importance on";
  source.reads_data = request.evaluate;
  const PrunableRun run(source);
  if (!run.kept().empty()) {
    throw Error(
        fmt::format("--run {}: the run is sparse, expected a dense one: masks hold for one shape only", request.run));
  }
  RequireOutside(folder, FilesNeededBy(run.config()));
  RequireOutside(folder, {run.weights().string()});
  RequireSound(request.options, run.model());
  ShrunkRun result{.notes = run.notes()};
  const bool evaluates = request.evaluate && run.has_data();
  if (request.evaluate && !evaluates) result.notes.emplace_back("the run has no data, so that losses are not known");
  if (evaluates && !(result.loss_before = run.Loss(stop))) return std::nullopt;
  if (result.loss_before && !std::isfinite(*result.loss_before)) {
    throw Error(fmt::format("--run {}: its evaluation loss is {} before anything is removed, expected a finite one",
                            request.run, *result.loss_before));
  }
  nn::Calibration calibration;
  if (NeedsData(request)) {
    calibration = run.CalibrationOf({request.samples, request.seed, request.or_all_samples});
    result.samples = calibration.batches * run.samples_per_batch();
  }
  auto shrunk =
      AsInput([&] { return nn::Shrink(run.model(), request.options, calibration, [&stop] { return stop.load(); }); });
  if (!shrunk) return std::nullopt;
  result.report = std::move(shrunk->report);
  const proto::Config config = ConfigOf(request, run, *shrunk);
  ValidateConfig(config, config);
  // The run takes its place only when all is known, so that nothing is left if this is stopped.
  RunFolder made = RunFolder::Prepare(files, folder, ToText(config), request.if_exists, [&](const RunFiles& paths) {
    if (run.record()) SaveDataRecord(files, paths, *run.record());
    SaveSafetensors(files, paths.model(), shrunk->parameters, {{"format", "pt"}, {"step", "0"}});
  });
  if (evaluates) {
    const PrunableRun smaller(
        {.run = made.paths().folder.string(), .accept_changed_data = true, .threads = request.threads});
    if (!(result.loss_after = smaller.Loss(stop))) return std::nullopt;
    if (!std::isfinite(*result.loss_after)) {
      result.notes.emplace_back("the evaluation loss of the smaller model is not finite");
      result.loss_after.reset();
    }
  }
  SaveShrinkReport(files, made.paths().shrinking(), request, result);
  made.TakePlace();
  return result;
}

}  // namespace twofour::train
