#include "twofour/train/program/cli/resume.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/train/metrics.h"
#include "twofour/train/program/config/difference.h"
#include "twofour/train/program/config/quantized_run.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/report/run_record.h"
#include "twofour/train/program/report/training_time.h"
#include "twofour/train/run_files.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOption = "--resume";

/// The part of a config that a checkpoint has to fit, beside the model (RequireSameModel).
proto::Config WhatACheckpointFits(const proto::Config& config) {
  proto::Config part;
  *part.mutable_sparsity() = config.sparsity();
  *part.mutable_optimizer() = config.optimizer();
  return part;
}

/// What a checkpoint does not say of its adapters, or what decides which there are. Stages may change.
proto::Config WhatAdaptersAre(const proto::Config& config) {
  proto::Config part;
  if (!config.has_finetune()) return part;
  proto::Finetune& finetune = *part.mutable_finetune() = config.finetune();
  finetune.clear_dense_share();
  finetune.clear_search_share();
  finetune.clear_interval();
  return part;
}

/// What decides what a run prunes in rounds, and when: which rounds are over is known from the step alone.
proto::Config WhatRoundsAre(const proto::Config& config) {
  proto::Config part;
  if (!config.has_one_shot()) return part;
  *part.mutable_one_shot() = config.one_shot();
  *part.mutable_sparsity() = config.sparsity();
  part.mutable_sparsity()->clear_fused_mlp();
  return part;
}

/// Throws Error if a run that one_shot prunes would be pruned otherwise, or another one by it.
void RequireSameRounds(const ResumePoint& resume, const proto::Config& config) {
  if (config.has_one_shot() != resume.stored.has_one_shot()) {
    throw Error(fmt::format(
        "--resume {}: one_shot: {}, expected {}; to prune a run's weights anew, begin another one with them: trainer "
        "prune --run {} --rounds N",
        resume.argument, config.has_one_shot() ? "given" : "none",
        config.has_one_shot() ? "none: it prunes before a run's first step" : "that of the run, which it prunes",
        resume.argument));
  }
  const std::vector<std::string> rounds = Differences(WhatRoundsAre(resume.stored), WhatRoundsAre(config));
  if (rounds.empty()) return;
  throw Error(fmt::format(
      "--resume {}: {}: a run that is pruned by one_shot keeps its rounds and their pattern, expected no change",
      resume.argument, fmt::join(rounds, ", ")));
}

/// Throws Error if the config's model is another function of its weights. The run's records, and which of its
/// checkpoints is the best, would then be those of a model that is no more.
void RequireSameModel(const ResumePoint& resume, const proto::Config& config) {
  const std::vector<std::string> differences = ModelDifferences(resume.stored, config);
  if (differences.empty()) return;
  throw Error(
      fmt::format("--resume {}: {}: a run keeps its model; leave that out to go on, or begin a new run with "
                  "--config {} and, if they fit, these weights: --set initial_weights={}",
                  resume.argument, fmt::join(differences, ", "), RunFiles{resume.path.folder}.config().string(),
                  (*resume.path.checkpoint / CheckpointStore::kModelFile).string()));
}

/// "checkpoint step-300", or "checkpoints step-300 to step-900 (4 of them)".
std::string DescribeSteps(const std::vector<int64_t>& steps) {
  if (steps.size() == 1) return fmt::format("checkpoint step-{}", steps[0]);
  return fmt::format("checkpoints step-{} to step-{} ({} of them)", steps.front(), steps.back(), steps.size());
}

/// What was made after the checkpoint, in words.
std::string WhatIsLost(const ResumePoint& resume) {
  FileSystem& files = FileSystem::Default();
  const RunFiles run{resume.path.folder};
  const CheckpointStore store(files, run.checkpoints(), 1);
  std::vector<int64_t> later = store.Steps();
  std::erase_if(later, [&](int64_t step) { return step <= resume.step(); });
  std::vector<std::string> lost;
  if (!later.empty()) {
    lost.push_back(DescribeSteps(later));
    const int64_t best = CheckpointStore::LoadState(files, store.PathOf(later.back())).best_step;
    if (best > resume.step()) lost.push_back(fmt::format("the best one, step-{}, among them", best));
  }
  if (files.Exists(run.model())) lost.push_back(run.model().filename().string());
  for (const fs::path& model : run.ModelsSetAsideAfter(files, resume.step())) {
    lost.push_back(model.filename().string());
  }
  if (const int64_t records = ReadMetricsUpTo(run.metrics(), resume.step()).later; records > 0) {
    lost.push_back(fmt::format("{} records of {}", records, run.metrics().filename().string()));
  }
  return fmt::format("{}", fmt::join(lost, ", "));
}

/// The command that trains from the weights of a run that has never trained.
std::string HowToTrain(const proto::Config& config, const fs::path& folder) {
  const RunFiles run{folder};
  if (config.imported_from().has_pruning()) return fmt::format("trainer retrain --from {}", folder.string());
  return fmt::format("trainer --config {} --set initial_weights={} --out NEW, with data and training set",
                     run.config().string(), run.model().string());
}

}  // namespace

ResumedFolder::ResumedFolder(const std::string& argument) {
  try {
    folder_.emplace(RunFolder::Open(FileSystem::Default(), FindRun(kOption, argument).folder));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kRuntimeFailure) throw;
    why_not_ = std::current_exception();
  }
}

RunFolder ResumedFolder::Take() {
  if (!folder_) std::rethrow_exception(why_not_);
  return std::move(*folder_);
}

ResumePoint FindResumePoint(const std::string& argument) {
  ResumePoint resume{argument, FindRun(kOption, argument), {}, {}, {}};
  const CheckpointStore store(FileSystem::Default(), RunFiles{resume.path.folder}.checkpoints(), 1);
  resume.newest = store.Newest();
  resume.stored = WithDefaults(LoadTextConfig(RunFiles{resume.path.folder}.config().string()));
  RequireNotQuantized(resume.stored, fmt::format("--resume {}", argument));
  if (resume.stored.has_imported_from() && !resume.path.checkpoint) {
    throw Error(fmt::format(
        "--resume {}: the run was imported, permuted or pruned and has never trained, expected a run with training to "
        "go on with; to train from its weights: {}",
        argument, HowToTrain(resume.stored, resume.path.folder)));
  }
  if (resume.path.checkpoint) {
    resume.state = CheckpointStore::LoadState(FileSystem::Default(), *resume.path.checkpoint);
  }
  return resume;
}

void RequireApplicable(const ResumePoint& resume, const proto::Config& config) {
  if (!resume.path.checkpoint) return;
  if (config.initial_weights() != resume.stored.initial_weights()) {
    throw Error(fmt::format(
        "--resume {}: initial_weights: {}, but the run began with {} and goes on with its checkpoint's weights",
        resume.argument, config.initial_weights().empty() ? "none" : config.initial_weights(),
        resume.stored.initial_weights().empty() ? "random ones" : resume.stored.initial_weights()));
  }
  if (config.initial_masks() != resume.stored.initial_masks()) {
    throw Error(
        fmt::format("--resume {}: initial_masks: {}, but the run began with {} and goes on with those of its "
                    "checkpoint, expected no change",
                    resume.argument, config.initial_masks(), resume.stored.initial_masks()));
  }
  RequireSameModel(resume, config);
  const std::vector<std::string> adapters = Differences(WhatAdaptersAre(resume.stored), WhatAdaptersAre(config));
  if (!adapters.empty()) {
    throw Error(fmt::format("--resume {}: {}: a run keeps its adapters, expected only other stages", resume.argument,
                            fmt::join(adapters, ", ")));
  }
  RequireSameRounds(resume, config);
  if (!resume.stored.sparsity().enabled() || config.sparsity().enabled()) return;
  const std::string folder = resume.path.folder.string();
  throw Error(fmt::format(
      "--resume {}: the run is sparse, and so is its checkpoint, but sparsity.enabled is false now (--dense): leave "
      "that out to go on, or begin a dense run with its weights: trainer --config {} --dense --set initial_weights={} "
      "--out NEW",
      resume.argument, RunFiles{folder}.config().string(),
      (*resume.path.checkpoint / CheckpointStore::kModelFile).string()));
}

std::string ExplainMisfit(const ResumePoint& resume, const proto::Config& config, const std::string& fault) {
  const std::vector<std::string> differences =
      Differences(WhatACheckpointFits(resume.stored), WhatACheckpointFits(config));
  if (differences.empty()) return fault;
  return fmt::format(
      "--resume {}: the run's checkpoint does not fit what the config is now: {}; leave that out to go on, or begin a "
      "new run with --config {}; the first tensor that does not fit: {}",
      resume.argument, fmt::join(differences, ", "), RunFiles{resume.path.folder}.config().string(),
      fault.substr(0, fault.find('\n')));
}

void RequireNothingIsLost(const ResumePoint& resume, bool overwrite, bool trains) {
  if (overwrite && !resume.path.names_checkpoint) {
    throw Error(
        fmt::format("--resume {}: goes on from the newest checkpoint and discards nothing, so there is nothing to "
                    "--overwrite; name "
                    "a checkpoint to go back to",
                    resume.argument));
  }
  if (!trains || overwrite || resume.path.checkpoint == resume.newest) return;
  throw Error(fmt::format(
      "--resume {}: going on from here in the run's own folder would discard what came after it: {}; give --out NEW to "
      "branch off into a new folder, or --overwrite to discard them",
      resume.argument, WhatIsLost(resume)));
}

std::optional<double> EstimateTrainingSeconds(const ResumePoint& resume, std::string& note) {
  const fs::path metrics = RunFiles{resume.path.folder}.metrics();
  RunRecord record{.folder = resume.path.folder, .config = resume.stored};
  std::optional<double> seconds;
  try {
    ReadMetrics(ReadMetricsUpTo(metrics, resume.step()).text, metrics.string(), record);
    seconds = TrainingSecondsAt(record, resume.step());
  } catch (const Error&) {
    // If the run cannot go on with these metrics, that is reported elsewhere.
  }
  note = fmt::format(
      "{}: does not say how long training took, because an earlier twofour saved it; {}",
      resume.path.checkpoint->string(),
      seconds ? fmt::format("training_seconds goes on from {:.2f}, by the speeds in {}", *seconds, metrics.string())
              : fmt::format("{} holds no speeds to tell it by, so that training_seconds is not recorded",
                            metrics.string()));
  return seconds;
}

}  // namespace twofour::train
