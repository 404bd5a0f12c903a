#include "twofour/train/program/cli/run_preparation.h"

#include <fmt/format.h>

#include <ostream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/peak_flops.h"
#include "twofour/train/finite_check.h"
#include "twofour/train/program/cli/finetune.h"
#include "twofour/train/program/cli/lora_report.h"
#include "twofour/train/program/cli/low_precision_report.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/program/cli/retrain.h"
#include "twofour/train/program/cli/startup_table.h"
#include "twofour/train/program/cli/swap_report.h"
#include "twofour/train/program/config/build_sparsity.h"
#include "twofour/train/program/config/data_files.h"
#include "twofour/train/program/config/difference.h"
#include "twofour/train/program/config/quantized_run.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/validate.h"
#include "twofour/train/program/start/config_changes.h"
#include "twofour/train/program/start/new_folder.h"
#include "twofour/train/program/start/other_data.h"
#include "twofour/train/program/start/run_data.h"
#include "twofour/train/program/start/start_computing.h"
#include "twofour/train/program/start/training_start.h"
#include "twofour/train/run_files.h"
#include "twofour/train/run_path.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

bool RetrainsARun(const CommandLine& line) { return !line.from.empty() && !line.finetune; }

/// A config file given along with --resume must be the one that the run was made with.
void RequireSameConfig(proto::Config given, proto::Config stored, const ResumePoint& resume) {
  given.clear_origin();  // The file that a branch was made with does not have it.
  stored.clear_origin();
  const std::optional<std::string> difference = FirstDifference(stored, given);
  if (!difference) return;
  throw Error(fmt::format("--resume {}: the run belongs to another config; first difference: {}",
                          resume.path.folder.string(), *difference));
}

/// Throws Error if resuming in the run's own folder would discard something without --overwrite, or if the folder of a
/// new run cannot be used. A dry run, which writes nothing, only prints a note.
void CheckFolder(const Run& run, std::ostream& err) {
  try {
    if (!run.in_place()) {
      if (run.resume) RequireApart(run.folder, run.resume->path.folder);
      RunFolder::CheckFree(FileSystem::Default(), run.folder, IfExists(run.line));
      RequireOutside(run.folder, FilesNeededBy(run.config));
    } else {
      RequireNothingIsLost(*run.resume, run.line.overwrite, run.trains());
    }
  } catch (const Error& error) {
    if (!run.line.dry_run) throw;
    PrintNotes({fmt::format("without --dry-run this would fail: {}", error.what())}, err);
  }
}

Workload LoadWorkload(const Run& run, std::ostream& err) {
  if (!run.resume) return BuildWorkload(run.config);
  RunData data = LoadRunData({run.resume->path.folder, run.resume->stored}, run.config, run.line.accept_changed_data);
  PrintNotes(data.notes, err);
  return std::move(data.workload);
}

TakenFromRuns TakenBy(const Run& run) {
  TakenFromRuns taken;
  if (!run.start) taken.weights = run.config.initial_weights();
  taken.expects_same_data = RetrainsARun(run.line);
  if (!run.resume) taken.config = run.line.config;
  return taken;
}

/// What is to be said of a config that `trainer prune` made, if training takes neither its weights nor its masks.
std::vector<std::string> NotesOnPruning(const CommandLine& line, const proto::Config& file,
                                        const proto::Config& resolved) {
  const bool searches = resolved.sparsity().enabled() && resolved.initial_weights().empty();
  if (!file.imported_from().has_pruning() || !searches) return {};
  const RunFiles beside{fs::path(line.config).parent_path()};
  const bool is_run = beside.IsRun(FileSystem::Default());
  return {fmt::format(
      "{0}: belongs to a run that trainer prune made, but training begins with random weights and finds masks of its "
      "own; to go on with that run's: trainer retrain --from {1}, or --set initial_weights={2} --set "
      "initial_masks=true",
      line.config, is_run ? beside.folder.string() : "RUN", (is_run ? beside : RunFiles{"RUN"}).model().string())};
}

RunExtent ExtentOf(const Run& run) {
  const Task& task = *run.workload.task;
  return {.batch = task.units_per_batch(),
          .evaluation_batch = task.units_per_evaluation_batch(),
          .first_step = run.step(),
          .last_step = run.config.training().steps(),
          .activations = run.workload.model->activation_dtype()};
}

}  // namespace

RunFolder::IfExists IfExists(const CommandLine& line) {
  return line.overwrite ? RunFolder::IfExists::kOverwrite : RunFolder::IfExists::kFail;
}

proto::Config ResolveConfig(const CommandLine& line, const std::optional<ResumePoint>& resume, std::ostream& err) {
  proto::Config base = resume              ? resume->stored
                       : line.finetune     ? FinetuneConfig(line.from, line.config)
                       : line.from.empty() ? LoadTextConfig(line.config)
                                           : RetrainConfig(line.from);
  const proto::Config file = base;
  RequireNotQuantized(base, line.config);
  if (!resume) base.clear_origin();  // The file may come from a branched run. The new run begins anew.
  const bool of_a_run = resume || RetrainsARun(line);
  proto::Config config = of_a_run ? ChangedRun(base, line.changes) : Changed(base, line.changes);
  if (resume && !line.config.empty()) {
    RequireSameConfig(ChangedRun(LoadTextConfig(line.config), line.changes), config, *resume);
  }
  if (line.finetune) RequireModelOf(line.from, config);
  if (!resume && RetrainsARun(line)) RequirePruningOnce(config);
  ValidateConfig(config, line.accept_idle_fields ? config : of_a_run ? base : proto::Config());
  if (resume && !line.out.empty()) {
    config.mutable_branched_from()->set_run(resume->path.folder.string());
    config.mutable_branched_from()->set_step(resume->step());
  }
  if (!resume && line.from.empty()) PrintNotes(NotesOnPruning(line, file, config), err);
  return config;
}

Run PrepareRun(const CommandLine& line, std::optional<ResumePoint> resume_point, const proto::Config& config,
               const CommandContext& context) {
  Run run{line, std::move(resume_point), config, {}, {}, nullptr, std::nullopt};
  std::optional<ResumePoint>& resume = run.resume;
  run.folder = !line.out.empty() ? FolderPath(line.out)
               : resume          ? resume->path.folder
                                 : fs::path("runs") / config.name();
  CheckFolder(run, context.err);
  if (resume) RequireApplicable(*resume, config);
  StartComputing(ThreadsFor(config, context));
  run.workload = LoadWorkload(run, context.err);
  nn::Model& model = *run.workload.model;
  // Read before anything in the folder is touched, so that a damaged checkpoint is found first.
  if (resume && resume->path.checkpoint) {
    run.start = CheckpointStore::Load(FileSystem::Default(), *resume->path.checkpoint);
    resume->path.hold.reset();
    RequireUsable(resume->path.checkpoint->string(), *run.start, model.NamedParameters());
    if (!run.start->state.training_seconds && run.trains()) {
      run.start->state.training_seconds = EstimateTrainingSeconds(*resume, run.workload.notes.emplace_back());
    }
  }
  TrainingStart start = StartTraining(config, model, run.start ? Beginning::kResumed : Beginning::kNew);
  WarnOfOtherData(TakenBy(run), run.workload.data_record, context.err);
  run.optimizer = std::move(start.optimizer);
  if (run.workload.task->flops_per_unit() > 0 && run.trains()) {
    run.peak = MeasurePeakFlops(run.workload.model->activation_dtype());
  }
  // Printed only after everything is known, so that a failure prints an error alone and not half a table first.
  std::ostringstream swap_report;
  if (start.swapped) PrintSwapReport(*start.swapped, BuildSwapOptions(config), model, ExtentOf(run), swap_report);
  if (start.adapted) PrintLoraReport(*start.adapted, config, swap_report);
  if (start.rounded) PrintLowPrecisionReport(*start.rounded, config, swap_report);
  PrintStartupTable(config, run.folder.string(), run.workload, run.peak, context.ranks, context.out);
  PrintNotes(NotesOf(line.changes), context.err);
  PrintNotes(run.workload.notes, context.err);
  context.out << swap_report.str();
  if (start.initial) context.out << InitialMasksLine(*start.initial, config);
  return run;
}

void RestoreTrainer(Trainer& trainer, const Run& run) {
  if (!run.start) return;
  try {
    trainer.Restore(*run.start, run.resume->path.checkpoint->string());
  } catch (const Error& error) {
    throw Error(ExplainMisfit(*run.resume, run.config, error.what()), error.kind());
  }
}

}  // namespace twofour::train
