#include "twofour/train/program/prune/pruned_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <map>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/nn/name_choice.h"
#include "twofour/sparse/budget_fit.h"
#include "twofour/train/program/config/data_files.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/prune/as_input.h"
#include "twofour/train/program/prune/missed_sparsity.h"
#include "twofour/train/program/prune/name_expression.h"
#include "twofour/train/program/prune/prunable_run.h"
#include "twofour/train/program/prune/pruning_message.h"
#include "twofour/train/program/prune/pruning_report.h"
#include "twofour/train/program/start/new_folder.h"
#include "twofour/train/run_path.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

/// A recipe that keeps the masks which were found.
proto::Sparsity RecipeOf(const nn::OneShotOptions& options, const nn::OneShotReport& report) {
  proto::Sparsity sparsity;
  sparsity.set_enabled(true);
  sparsity.set_include(options.include);
  // A swap would prune some that a one-shot method leaves alone, such as those that share their weight.
  const nn::NameChoice chosen(options.include, options.exclude);
  std::vector<std::string> others;
  for (const nn::SwapEntry& entry : report.kept_dense) {
    const bool fits = entry.out_features % options.multiple_of == 0 && entry.in_features % options.multiple_of == 0;
    if (fits && chosen.ReasonAgainst(entry.name).empty()) others.push_back(entry.name);
  }
  sparsity.set_exclude(ExcludeAlso(options.exclude, others));
  sparsity.set_multiple_of(options.multiple_of);
  sparsity.set_algorithm(proto::Sparsity::PATTERN);
  sparse::PruningPattern common = options.pattern;
  if (common.scope == sparse::PruningScope::kModel) common.scope = sparse::PruningScope::kLayer;
  sparsity.set_pattern(common.ToString());
  for (const nn::PrunedLinear& linear : report.pruned) {
    sparse::PruningPattern own = linear.pattern;
    if (own.scope == sparse::PruningScope::kModel) {
      own.scope = sparse::PruningScope::kLayer;
      own.sparsity = sparse::SpentBy(linear.mask, own);
    }
    if (own == common) continue;
    proto::LayerPattern& layer = *sparsity.add_layers();
    layer.set_name(linear.name);
    layer.set_pattern(own.ToString());
  }
  sparsity.mutable_freeze()->set_step(0);
  sparsity.set_freeze_gradient(true);
  return sparsity;
}

proto::Config ConfigOf(const PruneRequest& request, const nn::OneShotOptions& options, const PrunableRun& loaded,
                       const PrunedRun& pruned) {
  proto::Config config = loaded.config();
  config.set_name(FolderPath(request.out).filename().string());
  config.clear_initial_weights();
  config.clear_initial_masks();
  config.clear_adaptation();
  *config.mutable_sparsity() = RecipeOf(options, pruned.report);
  config.clear_origin();
  proto::ImportedFrom& origin = *config.mutable_imported_from();
  origin.set_path(pruned.weights);
  *origin.mutable_pruning() = pruned.record;
  return WithDefaults(config);
}

/// Throws Error if the new run would take the place of something that it is made of or needs.
void RequireSourcesOutside(const fs::path& folder, const PrunableRun& loaded) {
  std::vector<std::string> needed = FilesNeededBy(loaded.config());
  needed.push_back(loaded.weights().string());
  RequireOutside(folder, needed);
}

bool NeedsData(const PruneRequest& request) {
  return request.allocation.method == AllocationRequest::Method::kOutliers || nn::NeedsCalibration(request.options);
}

void AddNotes(double target, PrunedRun& pruned) {
  const nn::OneShotReport& report = pruned.report;
  std::ranges::copy(report.notes, std::back_inserter(pruned.notes));
  std::ranges::copy(NotesOnMissedPatterns(report.pruned), std::back_inserter(pruned.notes));
  const size_t linears = CountLinears(pruned);
  const std::string missed = NoteOnMissedTarget(linears, SparsityOf(pruned), target);
  if (linears > 1 && !missed.empty()) pruned.notes.push_back(missed);
  std::ranges::copy(NotesOnEmptied(report.pruned), std::back_inserter(pruned.notes));
}

std::vector<NamedTensor> TensorsOf(const nn::Model& model, const nn::OneShotReport& report) {
  std::vector<NamedTensor> tensors = model.NamedParameters();
  for (const nn::PrunedLinear& linear : report.pruned) {
    tensors.push_back({linear.name + ".weight_mask", linear.mask.ToTensor()});
  }
  return tensors;
}

}  // namespace

// Output errors are wanted of scores that need no data, too.
bool TakesData(const PruneRequest& request) { return NeedsData(request) || request.options.output_errors; }

bool TakesSeed(const PruneRequest& request) {
  return TakesData(request) || request.options.score == sparse::MaskScore::kRandom;
}

std::optional<PrunedRun> PruneRun(const PruneRequest& request, const std::atomic<bool>& stop,
                                  const std::function<void(const nn::PrunedLinear&)>& done) {
  FileSystem& files = FileSystem::Default();
  const fs::path folder = FolderPath(request.out);
  RunFolder::CheckFree(files, folder, request.if_exists);
  RequireSoundArguments(request.options, request.linears);
  RequireSoundAllocation(request.allocation, request.options.pattern);
  PrunableRunRequest source{.run = request.run,
                            .checkpoint = request.checkpoint,
                            .accept_changed_data = request.accept_changed_data,
                            .activations = request.activations,
                            .threads = request.threads};
  if (NeedsData(request)) source.needs_data = "to calibrate with";
  source.reads_data = TakesData(request) || request.evaluate;
  const PrunableRun loaded(source);
  RequireSourcesOutside(folder, loaded);
  nn::OneShotOptions options = OptionsFor(loaded.config(), request.options, request.linears, request.seed);
  const nn::OneShotOptions skipping = options;  // Before the allocation excludes some.
  PrunedRun pruned;
  pruned.weights = loaded.weights().string();
  if (request.evaluate && !loaded.has_data()) {
    pruned.notes.emplace_back("the run has no data, so that losses are not known");
  }
  nn::Calibration calibration;
  if (loaded.has_data() && TakesData(request)) {
    calibration = loaded.CalibrationOf({request.samples, request.seed, request.or_all_samples});
  }
  const int64_t samples = calibration.batches > 0 ? calibration.batches * loaded.samples_per_batch() : 0;
  pruned.record = RecordOf(request, options, loaded, samples);
  const bool evaluates = request.evaluate && loaded.has_data();
  if (evaluates && !(pruned.loss_before = loaded.Loss(stop))) return std::nullopt;
  if (pruned.loss_before && !std::isfinite(*pruned.loss_before)) {
    throw Error(fmt::format("--run {}: its evaluation loss is {} before anything is pruned, expected a finite one",
                            request.run, *pruned.loss_before));
  }
  const auto stopped = [&stop] { return stop.load(); };
  const auto allocated =
      AsInput([&] { return AllocatePatterns(request.allocation, loaded, calibration, stopped, options); });
  if (!allocated) return std::nullopt;
  std::ranges::copy(allocated->notes, std::back_inserter(pruned.notes));
  const auto watch = [&](const nn::PrunedLinear& linear) {
    const auto before = loaded.kept().find(linear.name);
    if (before != loaded.kept().end() && linear.mask.CountKept() > before->second) {
      throw Error(fmt::format(
          "{}: {} would keep {} of its {} weights and keeps {} already, expected a pattern that drops at "
          "least as much as the run's masks",
          request.allocation.is_default() ? "--pattern " + linear.pattern.ToString()
                                          : fmt::format("--allocation and --target give {}", linear.pattern.ToString()),
          linear.name, linear.mask.CountKept(), linear.out_features * linear.in_features, before->second));
    }
    if (done) done(linear);
  };
  auto report = AsInput([&] { return nn::PruneOnce(loaded.model(), options, calibration, stopped, watch); });
  if (!report) return std::nullopt;
  pruned.report = std::move(*report);
  for (nn::SwapEntry& entry : pruned.report.kept_dense) {
    if (std::ranges::find(allocated->dense, entry.name) == allocated->dense.end()) continue;
    entry.reason = "the allocation leaves it dense";
    pruned.left_dense.push_back(entry);
  }
  loaded.RequireEachStays(pruned.report.kept_dense);
  std::ranges::copy(NotesOnSkipped(skipping.include, skipping.exclude, pruned.report.kept_dense),
                    std::back_inserter(pruned.notes));
  AddNotes(request.allocation.target.value_or(options.pattern.Sparsity()), pruned);
  const proto::Config config = ConfigOf(request, options, loaded, pruned);
  const std::vector<NamedTensor> tensors = TensorsOf(loaded.model(), pruned.report);
  if (evaluates && !(pruned.loss_after = loaded.LossOfRun(config, tensors, stop))) return std::nullopt;
  if (pruned.loss_after && !std::isfinite(*pruned.loss_after)) {
    pruned.notes.emplace_back("the evaluation loss after pruning is not finite");
  }
  RunFolder::Create(files, folder, ToText(config), request.if_exists, [&](const RunFiles& paths) {
    if (loaded.record()) SaveDataRecord(files, paths, *loaded.record());
    SaveSafetensors(files, paths.model(), tensors, {{"format", "pt"}, {"step", "0"}});
    SavePruningReport(files, paths.pruning(), request, pruned);
  });
  // These are of the data, and no part of the report.
  pruned.notes.insert(pruned.notes.begin(), loaded.notes().begin(), loaded.notes().end());
  return pruned;
}

}  // namespace twofour::train
