#include "twofour/train/program/cli/resume.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <ostream>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/train/data_difference.h"
#include "twofour/train/metrics.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/program/config/data_files.h"
#include "twofour/train/program/config/difference.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/report/run_record.h"
#include "twofour/train/program/report/training_time.h"
#include "twofour/train/run_files.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOption = "--resume";

/// The part of a config that a checkpoint has to fit.
proto::Config WhatACheckpointFits(const proto::Config& config) {
  proto::Config part;
  *part.mutable_model() = config.model();
  *part.mutable_sparsity() = config.sparsity();
  *part.mutable_optimizer() = config.optimizer();
  return part;
}

/// The part of a config that decides which samples are drawn or held out. Everything else about the data shows in the
/// record of the loaded data.
proto::Config WhichSamples(const proto::Config& config) {
  proto::Config part;
  proto::Data& data = *part.mutable_data();
  data = config.data();
  if (data.has_csv()) {
    proto::Csv kept;
    kept.set_eval_fraction(data.csv().eval_fraction());
    kept.set_split_seed(data.csv().split_seed());
    *data.mutable_csv() = kept;
  } else if (data.has_idx()) {
    proto::Idx kept;
    kept.set_eval_fraction(data.idx().eval_fraction());
    kept.set_split_seed(data.idx().split_seed());
    *data.mutable_idx() = kept;
  } else if (data.has_text()) {
    proto::Text kept;
    kept.set_eval_fraction(data.text().eval_fraction());
    *data.mutable_text() = kept;
  } else if (data.has_tokens()) {
    proto::Tokens kept;
    kept.set_eval_fraction(data.tokens().eval_fraction());
    *data.mutable_tokens() = kept;
  }
  return part;
}

/// All differences between the data that a run began with, known from its record and config, and data that was loaded.
std::vector<DataDifference> DataDifferences(const ResumePoint& resume, const proto::Config& config,
                                            const DataRecord& then, const DataRecord& now) {
  std::vector<DataDifference> differences = CompareData(then, now);
  for (const std::string& text : Differences(WhichSamples(resume.stored), WhichSamples(config))) {
    differences.push_back({text});
  }
  return differences;
}

/// Loads the data by the rules by which an earlier twofour read headers and measured scales. Returns nothing if the
/// data is not what the run began with by these rules either.
std::optional<Workload> LoadByEarlierRules(const ResumePoint& resume, const proto::Config& config,
                                           const std::vector<DataFile>& files, const DataRecord& then) {
  if (!config.data().has_csv()) return std::nullopt;
  try {
    Workload workload = BuildWorkloadByEarlierRules(config, files);
    if (DataDifferences(resume, config, then, workload.data_record).empty()) return workload;
  } catch (const Error&) {
    // The caller says what is wrong by the rules of today.
  }
  return std::nullopt;
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

Workload LoadResumedWorkload(const ResumePoint& resume, const proto::Config& config, bool accept_changed_data,
                             std::ostream& err) {
  const RunFiles run{resume.path.folder};
  const std::optional<DataRecord> then = LoadDataRecord(FileSystem::Default(), run);
  const std::vector<DataFile> files = DataFingerprints().Of(config.data());
  if (!then || (then->class_names.empty() && !then->OfTokens())) {
    PrintNotes({fmt::format("{}: says nothing of the data that the run began with, so that it cannot be checked",
                            run.data().string())},
               err);
    return BuildWorkload(config, files);
  }
  if (then->made_with_earlier_data) {
    try {
      Workload workload = BuildWorkload(config, files, &*then);
      if (DataDifferences(resume, config, *then, workload.data_record).empty()) return workload;
    } catch (const Error&) {
      // The code below says how the data differs.
    }
  }
  std::optional<Workload> workload;
  try {
    workload = BuildWorkload(config, files);
    const std::vector<DataDifference> differences = DataDifferences(resume, config, *then, workload->data_record);
    if (differences.empty()) return std::move(*workload);
    throw Error(
        fmt::format("{}: the data is not what the run began with: {}; --accept-changed-data goes on all the same, with "
                    "the run's own classes, columns, scaling and vocabulary",
                    run.data().string(), Describe(differences)));
  } catch (const Error&) {
    workload.reset();  // Frees memory before the data is loaded again.
    if (std::optional<Workload> same = LoadByEarlierRules(resume, config, files, *then)) {
      same->notes.push_back(
          "the data is read as when the run began, by rules of an earlier twofour: a new run would read it in another "
          "way, or refuse it");
      return std::move(*same);
    }
    if (!accept_changed_data) throw;
  }
  workload = BuildWorkload(config, files, &*then);
  const std::vector<DataDifference> differences = DataDifferences(resume, config, *then, workload->data_record);
  if (const std::vector<DataDifference> fatal = OfMeaning(differences); !fatal.empty()) {
    throw Error(fmt::format("{}: the run's model was made with other data and is wrong on this: {}",
                            run.data().string(), Describe(fatal)));
  }
  if (!differences.empty()) PrintNotes({fmt::format("going on with changed data: {}", Describe(differences))}, err);
  return std::move(*workload);
}

}  // namespace twofour::train
