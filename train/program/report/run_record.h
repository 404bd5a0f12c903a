#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "twofour/core/io/file_system.h"
#include "twofour/train/program/report/run_outcome.h"

#include "config.pb.h"

namespace twofour::train {

/// A number at each step where it was recorded. None is infinite or NaN.
using Curve = std::map<int64_t, double>;

/// A run as its folder tells of it.
struct RunRecord {
  std::filesystem::path folder;
  proto::Config config;                   ///< Every field spelled out.
  bool finished = false;                  ///< It has its final weights.
  std::optional<int64_t> torn_line = {};  ///< Of metrics.jsonl: the last one, cut short by a kill and skipped.
  int64_t steps = 0;                      ///< The last step of which anything is told.
  Curve train_loss = {}, eval_loss = {};
  std::map<std::string, Curve> eval_details = {};  ///< "accuracy", ...
  /// Of SparsityMetrics, by the field's name ("flip_rate", ...), and "hidden_density", ActivationMetrics' density:
  /// means over layers.
  std::map<std::string, Curve> layer_means = {};
  std::string unit = {};  ///< "samples" or "tokens"; empty where no speed is told.
  Curve units_per_s = {};
  std::optional<int64_t> model_step = {};  ///< Whose weights the final ones are, where the run tells.
  bool stopped_early = false;              ///< For too many evaluations without gain.
  /// What became of a run that is not finished, and why, as far as a sweep knows.
  RunOutcome outcome = RunOutcome::kUnfinished;
  std::string reason = {};
};

/// A metrics file above this is an Error, thrown before anything of it is read.
inline constexpr uint64_t kMaxReportMetricsBytes = uint64_t{512} << 20;

/// Takes what a metrics file of this text tells into `run`; `source` names the file in messages. Throws as LoadRun
/// does.
void ReadMetrics(std::string_view text, const std::string& source, RunRecord& run);

/// What a sweep knows of one of its runs, which may have left nothing.
struct PlannedRunRecord {
  RunOutcome outcome = RunOutcome::kUnfinished;
  std::string reason = {};
  proto::Config config = {};
};

/// Reads a run's folder; one that was only just made has no metrics yet. Records of kinds that are not known are passed
/// over. Throws Error, in one line, on a folder without a valid config and on a damaged line of metrics, naming it;
/// only a last line without an end, as a kill leaves it, is skipped.
RunRecord LoadRun(FileSystem& files, const std::filesystem::path& folder);

/// A run of a sweep: what its folder tells and, where it is not finished, what became of it. Where the folder tells
/// nothing, that is all. A folder that cannot be read is a reason, too, and no Error.
RunRecord LoadPlannedRun(FileSystem& files, const std::filesystem::path& folder, const PlannedRunRecord& planned);

}  // namespace twofour::train
