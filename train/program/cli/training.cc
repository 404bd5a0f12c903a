#include "twofour/train/program/cli/training.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <ostream>
#include <sstream>
#include <string>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/nn/lora_stages.h"
#include "twofour/nn/one_shot_training.h"
#include "twofour/train/checkpoint.h"
#include "twofour/train/metrics.h"
#include "twofour/train/parallel/agreement.h"
#include "twofour/train/program/cli/closing_lines.h"
#include "twofour/train/program/cli/conclude.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/program/cli/resume.h"
#include "twofour/train/program/cli/run_output.h"
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
#include "twofour/train/program/start/rank_start.h"
#include "twofour/train/run_files.h"
#include "twofour/train/run_folder.h"
#include "twofour/train/trainer.h"

namespace twofour::train {
namespace {

TrainerOptions OptionsOf(const proto::Config& config) {
  TrainerOptions options = BuildTrainerOptions(config);
  options.compare_from_step = FirstComparableStep(config);
  options.sparsity_id = SparsityId(config);
  return options;
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
  RunFolder folder = MakeRunFolder(run, resumed, context.err);
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

/// Trains. If that fails before the old run was replaced, the message says so. `output` is null but on the first rank.
bool TrainIn(const RunOutput* output, const Run& run, Trainer& trainer) {
  try {
    return trainer.Run();
  } catch (const Error& error) {
    if (output == nullptr || !output->folder().is_waiting()) throw;
    ThrowLike(error, fmt::format("{}; the run in {} was not replaced", error.what(), run.folder.string()),
              error.kind());
  }
}

/// Begins one_shot pruning, if the run starts with it. Returns false if it was stopped.
bool BeginOneShot(std::optional<nn::OneShotTraining>& one_shot, const Run& run, const CommandContext& context) {
  if (!one_shot || run.start) return true;
  bool stopped = false;
  Together(context.ranks, [&] {
    const auto is_stopped = [&] { return context.stop.stop.load(); };
    stopped = !InField("one_shot", [&] { return one_shot->Begin(is_stopped); });
  });
  return !IsTrueAnywhere(context.ranks, stopped);
}

int Train(Run& run, MaybeResumed& resumed, const CommandContext& context) {
  std::ostream& out = context.out;
  const proto::Config& config = run.config;
  const bool first = context.ranks.rank() == 0;
  TrainerOptions options = OptionsOf(config);
  options.peak_flops = run.peak.flops;
  options.peak_is_rough = !run.peak.sure;

  TrainerServices services{.ranks = &context.ranks, .stop = &context.stop.stop};
  std::optional<RunOutput> output;
  if (first) output.emplace(run, resumed, context).Serve(services);
  std::optional<nn::LoraTraining> adapters;
  if (config.has_finetune()) services.hooks.push_back(&adapters.emplace(*run.workload.model, StagesOf(config)));
  std::optional<nn::OneShotTraining> one_shot;
  if (config.has_one_shot()) services.hooks.push_back(&one_shot.emplace(OneShotOf(run, context)));
  Trainer trainer(*run.workload.task, *run.optimizer,
                  BuildLrSchedule(config.learning_rate(), config.training().steps()), options, services);
  Together(context.ranks, [&] {
    RestoreTrainer(trainer, run);
    if (run.resume) ReadMetricsUpTo(RunFiles{run.resume->path.folder}.metrics(), run.step());  // Throws if damaged.
  });
  if (run.resume && trainer.Finished() && !trainer.state().evaluation_pending) {
    int code = 0;
    Together(context.ranks, [&] {
      if (first) code = TrainNothing(run, resumed, trainer, context);
    });
    return code;
  }
  if (run.line.dry_run) {
    PrintChanges(run, out);
    out << "dry run: everything checked, nothing written\n";
    return 0;
  }
  if (!BeginOneShot(one_shot, run, context)) {
    EndWithoutResult(context);
    return CodeOfStop(context);
  }
  Together(context.ranks, [&] {
    if (output) output->Begin(run.start ? trainer.state() : TrainerState());
  });

  const double began = Clock::Default().Seconds();
  const bool finished = TrainIn(output ? &*output : nullptr, run, trainer);
  if (output) output->FinishProgress();
  if (!finished) {
    // The folder's config does not hold what the user asked for until something has been written.
    if (output && !output->HasWritten()) {
      out << fmt::format("stopped before a step was made; the run in {} is as it was: start again as before\n",
                         run.folder.string());
    } else {
      out << fmt::format("stopped after step {}; go on with: trainer --resume {}\n", trainer.state().step,
                         run.folder.string());
    }
    return CodeOfStop(context);
  }
  if (context.ranks.size() > 1) {
    const auto steps = static_cast<double>(std::max<int64_t>(trainer.state().step - run.step(), 1));
    out << CommunicationLine(context.ranks.sent(), trainer.exchange_time(), steps) << "\n";
  }
  Together(context.ranks, [&] {
    if (!output) return;
    Conclude({.config = config,
              .run = output->folder().paths(),
              .trainer = trainer,
              .model = *run.workload.model,
              .checkpoints = output->checkpoints(),
              .sink = output->sink(),
              .seconds = Clock::Default().Seconds() - began},
             out);
  });
  return 0;
}

/// What the arguments ask for, if they ask for training. Prints what will be trained only when all ranks have prepared
/// the same.
std::optional<Run> PrepareOnRanks(int argc, const char* const* argv, MaybeResumed& resumed,
                                  std::optional<OutlivesReaders>& until_the_end, const CommandContext& context) {
  comm::Communicator& ranks = context.ranks;
  std::ostringstream out, err;
  const bool alone = ranks.size() == 1;
  const CommandContext preparing{
      alone ? context.out : out, alone ? context.err : err, context.terminal, context.stop, ranks, context.threads};
  std::optional<Run> run;
  Together(ranks, [&] {
    const std::optional<CommandLine> line = ParseCommandLine(argc, argv, context.out);
    if (!line) return;
    std::optional<ResumePoint> resume;
    if (!line->resume.empty()) {
      // One process holds the lock for all.
      const bool writes = line->out.empty() && !line->dry_run && !line->print_config;
      if (writes && ranks.rank() == 0) resumed.emplace(line->resume);
      resume = FindResumePoint(line->resume);
    }
    const proto::Config config = ResolveConfig(*line, resume, preparing.err);
    if (line->print_config) {
      context.out << ToText(config);
      if (ranks.rank() == 0) RequireWritten(context.out);
      return;
    }
    RequireRanksDivide(ranks, config.training().shards());
    until_the_end.emplace();
    run.emplace(PrepareRun(*line, std::move(resume), config, preparing));
  });
  if (!run || alone) return run;
  RequireSameParts(ranks, PartsOf(run->config, run->workload.data_record, *run->workload.model));
  double peak = 0;
  for (const double each : AllNumbers(ranks, {run->peak.flops})) peak += each;
  run->peak.flops = peak;
  context.out << out.str();
  context.err << err.str();
  return run;
}

}  // namespace

int RunTraining(int argc, const char* const* argv, const CommandContext& context) {
  std::optional<OutlivesReaders> until_the_end;
  MaybeResumed resumed;
  std::optional<Run> run = PrepareOnRanks(argc, argv, resumed, until_the_end, context);
  return run ? Train(*run, resumed, context) : 0;
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
