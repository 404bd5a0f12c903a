#include "twofour/train/program/cli/training.h"

#include <fmt/format.h>

#include <optional>
#include <ostream>
#include <string>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/io/text.h"
#include "twofour/nn/lora_stages.h"
#include "twofour/nn/one_shot_training.h"
#include "twofour/train/adapter_files.h"
#include "twofour/train/checkpoint.h"
#include "twofour/train/data_record.h"
#include "twofour/train/metrics.h"
#include "twofour/train/program/cli/branch.h"
#include "twofour/train/program/cli/closing_lines.h"
#include "twofour/train/program/cli/conclude.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/program/cli/progress.h"
#include "twofour/train/program/cli/resume.h"
#include "twofour/train/program/cli/run_preparation.h"
#include "twofour/train/program/cli/signals.h"
#include "twofour/train/program/config/build.h"
#include "twofour/train/program/config/build_finetune.h"
#include "twofour/train/program/config/build_one_shot.h"
#include "twofour/train/program/config/comparable_step.h"
#include "twofour/train/program/config/difference.h"
#include "twofour/train/program/config/in_field.h"
#include "twofour/train/program/config/options.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/validate.h"
#include "twofour/train/program/prune/calibration_samples.h"
#include "twofour/train/program/prune/missed_sparsity.h"
#include "twofour/train/program/prune/pruning_report.h"
#include "twofour/train/program/tensorboard/event_file.h"
#include "twofour/train/program/tensorboard/tensorboard_sink.h"
#include "twofour/train/run_files.h"
#include "twofour/train/run_folder.h"
#include "twofour/train/trainer.h"

namespace twofour::train {
namespace {

/// The folder of a run that goes on in place; nothing for other runs, and where nothing will be written.
using MaybeResumed = std::optional<ResumedFolder>;

/// Takes the folder of a resumed run, or makes the folder of a new one. If the new run replaces another, its folder
/// waits for ReplaceRun().
RunFolder MakeFolder(const Run& run, MaybeResumed& resumed, std::ostream& err) {
  FileSystem& files = FileSystem::Default();
  if (run.in_place()) {
    RunFolder folder = resumed->Take();
    PrintNotes(folder.notes(), err);
    return folder;
  }
  RunFolder folder =
      RunFolder::Prepare(files, run.folder, ToText(run.config), IfExists(run.line), [&](const RunFiles& paths) {
        SaveDataRecord(files, paths, run.workload.data_record);
        if (run.start) CopyBeginning(files, run.resume->path.folder, *run.start, paths);
      });
  PrintNotes(folder.notes(), err);
  if (!folder.is_waiting()) folder.TakePlace();
  return folder;
}

/// Puts a new run in the place of the run that it replaces, now that it has something to write.
void ReplaceRun(RunFolder& folder, std::ostream& err) {
  const size_t said = folder.notes().size();
  folder.TakePlace();
  PrintNotes({folder.notes().begin() + static_cast<ptrdiff_t>(said), folder.notes().end()}, err);
}

TrainerOptions OptionsOf(const proto::Config& config) {
  TrainerOptions options = BuildTrainerOptions(config);
  options.compare_from_step = FirstComparableStep(config);
  options.sparsity_id = SparsityId(config);
  return options;
}

/// Changes the folder of a resumed run before the first record is written. Removes what a kill left unfinished, sets
/// aside or discards what came after the checkpoint (`restored` is the trainer's state there), and writes `run`'s
/// config and data record.
void RewriteFolder(const Run& run, const TrainerState& restored, RunFolder& folder, CheckpointStore& checkpoints,
                   std::ostream& out) {
  FileSystem& files = FileSystem::Default();
  const RunFiles paths{run.folder};
  const int64_t step = run.step();
  folder.RemoveUnfinished();
  // The final weights of the shorter run would be taken for those of the longer one. They are still a result, so they
  // are discarded only with --overwrite.
  if (files.Exists(paths.model())) {
    if (run.line.overwrite) {
      files.RemoveAll(paths.model());
    } else {
      const std::filesystem::path aside = paths.FreeModelOfStep(files, step);
      files.Rename(paths.model(), aside);
      out << fmt::format("{}: what was the final model after step {}\n", aside.string(), step);
    }
  }
  if (run.line.overwrite) {
    for (const std::filesystem::path& later : paths.ModelsSetAsideAfter(files, step)) {
      files.RemoveAll(later);
      out << fmt::format("{}: discarded, like all that came after step {}\n", later.string(), step);
    }
  }
  RemoveAdapterFiles(files, paths);  // They belong to a model that was set aside; its merged weights are in there.
  checkpoints.PrepareToResume(restored);
  // Without a checkpoint, an evaluation before the first step is made again.
  if (TruncateMetrics(paths.metrics(), run.start ? step : -1, run.start && run.start->state.evaluation_pending)) {
    out << fmt::format("{}: skipped the last line, which a kill has torn\n", paths.metrics().string());
  }
  SaveDataRecord(files, paths, run.workload.data_record);
  WriteTextAtomically(files, paths.config(), ToText(run.config));
}

/// What a resumed run does from here on in another way than before; nothing for a new run.
std::vector<std::string> Changes(const Run& run) {
  if (!run.resume) return {};
  const proto::Config& stored = run.resume->stored;
  proto::Config config = run.config;
  if (!run.in_place()) *config.mutable_branched_from() = stored.branched_from();
  if (!stored.has_branched_from()) config.clear_branched_from();
  return Differences(stored, config);
}

void PrintChanges(const Run& run, std::ostream& out) {
  for (const std::string& change : Changes(run)) out << fmt::format("  from here on {}\n", change);
}

void PrintBeginning(const Run& run, std::ostream& out) {
  if (!run.resume) return;
  const ResumePoint& resume = *run.resume;
  const std::string verb = run.in_place() ? "resuming" : "branching off";
  out << (run.start ? fmt::format("{} after step {} from {}\n", verb, run.step(), resume.path.checkpoint->string())
                    : fmt::format("{}: no checkpoint yet, starting at the first step\n", verb));
  PrintChanges(run, out);
}

/// Writes the final model of a run that came to its end but was killed after its last checkpoint and before it wrote
/// the model. Uses the config that the run was trained with.
void ExportFinishedModel(const Run& asked_for, MaybeResumed& resumed, const CommandContext& context) {
  const ResumePoint& resume = *asked_for.resume;
  CommandLine line;
  line.accept_changed_data = asked_for.line.accept_changed_data;
  proto::Config config = resume.stored;
  config.set_threads(asked_for.config.threads());
  Run run = PrepareRun(line, resume, config, context);
  RunFolder folder = MakeFolder(run, resumed, context.err);
  folder.RemoveUnfinished();
  const RunFiles& paths = folder.paths();
  CheckpointStore checkpoints(FileSystem::Default(), paths.checkpoints(), config.checkpoint().keep());
  Trainer trainer(*run.workload.task, *run.optimizer, optim::ConstantLr(0), OptionsOf(run.config),
                  {.checkpoints = &checkpoints});
  RestoreTrainer(trainer, run);
  TruncateMetrics(paths.metrics(), run.step());
  JsonLinesSink metrics(FileSystem::Default(), paths.metrics());
  Conclude({.config = run.config,
            .run = paths,
            .trainer = trainer,
            .model = *run.workload.model,
            .checkpoints = checkpoints,
            .sink = metrics},
           context.out);
}

/// Whether the state of `trainer` is the run's end under the config that the run was made with.
bool IsAtItsEnd(const Run& run, const Trainer& trainer) {
  const proto::Training& stored = run.resume->stored.training();
  const TrainerState& state = trainer.state();
  const int64_t patience = stored.stop_after_evaluations_without_gain();
  const bool early = patience > 0 && state.best_scheduled.evaluations_since >= patience;
  return run.resume->path.checkpoint == run.resume->newest && (early || state.step == stored.steps());
}

/// Answers a resume at a run's end. No step is taken, so nothing about the run may change.
int TrainNothing(const Run& run, MaybeResumed& resumed, const Trainer& trainer, const CommandContext& context) {
  const ResumePoint& resume = *run.resume;
  const std::string nothing =
      trainer.StoppedEarly()
          ? fmt::format(
                "{}; nothing to train: to go on, add --set training.stop_after_evaluations_without_gain=0, or more",
                EarlyStopLine(trainer))
          : fmt::format(
                "nothing to train: step {0} is the last one; train longer with --set training.steps=N, N above {0}",
                resume.step());
  if (!run.in_place()) throw Error(fmt::format("--resume {}: {}", resume.argument, nothing));
  for (const std::string& difference : Differences(resume.stored, run.config)) {
    PrintNotes({fmt::format("not applied, because no step is taken under it: {}", difference)}, context.err);
  }
  context.out << nothing << "\n";
  const bool lacks_model = IsAtItsEnd(run, trainer) && !FileSystem::Default().Exists(RunFiles{run.folder}.model());
  if (lacks_model && !run.line.dry_run) ExportFinishedModel(run, resumed, context);
  return 0;
}

/// The pruning in rounds that the config asks for.
nn::OneShotTraining OneShotOf(const Run& run, const CommandContext& context) {
  const proto::OneShot& one_shot = run.config.one_shot();
  const int64_t rounds = one_shot.rounds();
  const auto print = [&out = context.out, &err = context.err, rounds](int64_t round, const nn::OneShotReport& report) {
    PrintNotes(report.notes, err);
    PrintNotes(NotesOnMissedPatterns(report.pruned), err);
    PrintNotes(NotesOnEmptied(report.pruned), err);
    out << fmt::format("pruned{}: {}\n", rounds > 1 ? fmt::format(", round {} of {}", round + 1, rounds) : "",
                       SummaryOf({.report = report}));
  };
  return {*run.workload.model, BuildOneShotRounds(run.config),
          CalibrationOf(run.workload, run.config.training().batch_size(), {one_shot.samples(), one_shot.seed()},
                        "config: one_shot.samples"),
          print};
}

/// Trains. If that fails before the old run was replaced, the message says so.
bool TrainIn(const RunFolder& folder, const Run& run, Trainer& trainer) {
  try {
    return trainer.Run();
  } catch (const Error& error) {
    if (!folder.is_waiting()) throw;
    throw Error(fmt::format("{}; the run in {} was not replaced", error.what(), run.folder.string()), error.kind());
  }
}

int Train(Run& run, MaybeResumed& resumed, const CommandContext& context) {
  std::ostream& out = context.out;
  FileSystem& files = FileSystem::Default();
  const proto::Config& config = run.config;
  CheckpointStore checkpoints(files, RunFiles{run.folder}.checkpoints(), config.checkpoint().keep());
  TeeSink sinks;
  Task& task = *run.workload.task;
  ProgressSink progress(out, context.terminal, config.training().steps(),
                        task.units_per_batch() * AccumulateSteps(config));
  TrainerOptions options = OptionsOf(config);
  options.peak_flops = run.peak.flops;
  options.peak_is_rough = !run.peak.sure;

  std::optional<JsonLinesSink> metrics;
  std::optional<TensorBoardSink> tensorboard;
  const auto open_sinks = [&] {
    const RunFiles paths{run.folder};
    sinks.Add(&metrics.emplace(files, paths.metrics()));
    // Without a checkpoint the run begins anew, and its config holds for all of it.
    if (const auto changes = Changes(run); run.start && !changes.empty()) metrics->OnResumed(run.step(), changes);
    if (config.logging().tensorboard()) {
      sinks.Add(&tensorboard.emplace(files, NextEventFile(files, paths.event_files()), run.step() + 1));
    }
    sinks.Add(&progress);
  };
  TrainerServices services{.sink = &sinks, .checkpoints = &checkpoints, .stop = &context.stop.stop};
  std::optional<nn::LoraTraining> adapters;
  if (config.has_finetune()) services.hooks.push_back(&adapters.emplace(*run.workload.model, StagesOf(config)));
  std::optional<nn::OneShotTraining> one_shot;
  if (config.has_one_shot()) services.hooks.push_back(&one_shot.emplace(OneShotOf(run, context)));
  std::optional<RunFolder> folder;
  TrainerState restored;
  bool writes = false;
  if (run.in_place() || run.line.overwrite) {
    services.before_writing = [&] {
      writes = true;
      if (run.in_place()) RewriteFolder(run, restored, *folder, checkpoints, out);
      if (folder->is_waiting()) ReplaceRun(*folder, context.err);
      checkpoints.MoveTo(folder->paths().checkpoints());
      open_sinks();
    };
  }
  Trainer trainer(task, *run.optimizer, BuildLrSchedule(config.learning_rate(), config.training().steps()), options,
                  services);
  RestoreTrainer(trainer, run);
  if (run.start) restored = trainer.state();
  if (run.resume) ReadMetricsUpTo(RunFiles{run.resume->path.folder}.metrics(), run.step());  // Throws if damaged.
  if (run.resume && trainer.Finished() && !trainer.state().evaluation_pending)
    return TrainNothing(run, resumed, trainer, context);
  if (run.line.dry_run) {
    PrintChanges(run, out);
    out << "dry run: everything checked, nothing written\n";
    return 0;
  }
  if (one_shot && !run.start) {
    if (!InField("one_shot", [&] { return one_shot->Begin([&] { return context.stop.stop.load(); }); })) {
      return EndWithoutResult(context);
    }
  }
  folder.emplace(MakeFolder(run, resumed, context.err));
  checkpoints.MoveTo(folder->paths().checkpoints());
  PrintBeginning(run, out);
  if (!services.before_writing) open_sinks();

  const double began = Clock::Default().Seconds();
  const bool finished = TrainIn(*folder, run, trainer);
  progress.Finish();
  if (!finished) {
    // The folder's config does not hold what the user asked for until something has been written.
    out << (folder->is_waiting() || (run.in_place() && !writes)
                ? fmt::format("stopped before a step was made; the run in {} is as it was: start again as before\n",
                              run.folder.string())
                : fmt::format("stopped after step {}; go on with: trainer --resume {}\n", trainer.state().step,
                              run.folder.string()));
    return 128 + context.stop.signal;
  }
  Conclude({.config = config,
            .run = folder->paths(),
            .trainer = trainer,
            .model = *run.workload.model,
            .checkpoints = checkpoints,
            .sink = sinks,
            .seconds = Clock::Default().Seconds() - began},
           out);
  return 0;
}

}  // namespace

int RunTraining(int argc, const char* const* argv, const CommandContext& context) {
  const std::optional<CommandLine> line = ParseCommandLine(argc, argv, context.out);
  if (!line) return 0;
  std::optional<ResumePoint> resume;
  MaybeResumed resumed;
  if (!line->resume.empty()) {
    if (line->out.empty() && !line->dry_run && !line->print_config) resumed.emplace(line->resume);
    resume = FindResumePoint(line->resume);
  }
  const proto::Config config = ResolveConfig(*line, resume, context.err);
  if (line->print_config) {
    context.out << ToText(config);
    RequireWritten(context.out);
    return 0;
  }
  const OutlivesReaders until_the_end;
  Run run = PrepareRun(*line, std::move(resume), config, context);
  return Train(run, resumed, context);
}

int TrainNewRun(const CommandLine& line, const proto::Config& config, const CommandContext& context) {
  const proto::Config changed = Changed(config, line.changes);
  ValidateConfig(changed, changed);
  const OutlivesReaders until_the_end;
  MaybeResumed none;
  Run run = PrepareRun(line, std::nullopt, changed, context);
  return Train(run, none, context);
}

}  // namespace twofour::train
