#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/train/checkpoint.h"
#include "twofour/train/program/report/pruning_record.h"
#include "twofour/train/program/report/run_outcome.h"

#include "config.pb.h"

namespace twofour::train {

/// A number at each step where it was recorded. All are finite.
using Curve = std::map<int64_t, double>;

/// What a run's folder says about it.
struct RunRecord {
  std::filesystem::path folder;
  proto::Config config;                   ///< Every field spelled out.
  bool finished = false;                  ///< It has its final weights.
  std::optional<int64_t> torn_line = {};  ///< Number of the last line of metrics.jsonl, if it is cut short and skipped.
  int64_t steps = 0;                      ///< The last step that has a record.
  Curve train_loss = {}, eval_loss = {};
  std::map<std::string, Curve> eval_details = {};  ///< "accuracy", ...
  /// Means over layers: the fields of SparsityMetrics, by name ("flip_rate", ...), and "hidden_density", which is the
  /// density of ActivationMetrics.
  std::map<std::string, Curve> layer_means = {};
  std::string unit = {};  ///< "samples" or "tokens"; empty if no speed is recorded.
  Curve units_per_s = {};
  Curve training_seconds = {};  ///< From records of training and of evaluations. Earlier versions wrote none.
  std::optional<int64_t> model_step = {};  ///< The step of the final weights, if the run recorded it.
  /// What changed where the run was resumed, by step: "training.precision: FP32 -> BF16".
  std::map<int64_t, std::vector<std::string>> changes = {};
  std::optional<PruningRecord> pruning = {};  ///< Of a run that `trainer prune` or `shrink` made, or one_shot pruned.
  /// The best evaluation, as the run recorded it at its end; step 0 before that.
  BestEvaluation best = {};
  std::optional<int64_t> compared_from = {};  ///< See FinalMetrics; earlier versions wrote none.
  std::optional<double> final_sparsity = {};  ///< See FinalMetrics::sparsity.
  bool stopped_early = false;                 ///< Because of too many evaluations without gain.
  /// What became of a run that is not finished, and why, if a sweep knows it.
  RunOutcome outcome = RunOutcome::kUnfinished;
  std::string reason = {};
};

/// From this step on, a run's evaluations are of the sparsity that it has in the end (FirstComparableStep), as far as
/// its config and what was changed where it was resumed tell.
int64_t FirstComparedStep(const RunRecord& run);

/// A larger metrics file is an Error, thrown before anything is read.
inline constexpr uint64_t kMaxReportMetricsBytes = uint64_t{512} << 20;

/// Adds the contents of a metrics file to `run`. `text` is the file's text, and `source` names it in messages. Throws
/// as LoadRun does.
void ReadMetrics(std::string_view text, const std::string& source, RunRecord& run);

/// What a sweep knows about one of its runs, which may have left no folder.
struct PlannedRunRecord {
  RunOutcome outcome = RunOutcome::kUnfinished;
  std::string reason = {};
  proto::Config config = {};
};

/// Reads a run's folder. There may be no metrics yet. Skips records of unknown kinds, and a last line without an end,
/// as a kill leaves it. Throws Error, in one line, on a folder without a valid config, on any other damaged line of
/// metrics, which it names, and on a damaged pruning.json or shrink.json.
RunRecord LoadRun(FileSystem& files, const std::filesystem::path& folder);

/// Reads a run of a sweep: what its folder says and, if it is not finished, what became of it. If the folder has no
/// config, the result holds only what the sweep knows. A folder that cannot be read becomes a reason and is no Error.
RunRecord LoadPlannedRun(FileSystem& files, const std::filesystem::path& folder, const PlannedRunRecord& planned);

}  // namespace twofour::train
