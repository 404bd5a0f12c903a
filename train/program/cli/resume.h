#pragma once

#include <exception>
#include <filesystem>
#include <optional>
#include <string>

#include "twofour/train/checkpoint.h"
#include "twofour/train/program/cli/command_line.h"
#include "twofour/train/run_folder.h"
#include "twofour/train/run_path.h"

#include "config.pb.h"

namespace twofour::train {

/// What `trainer --resume` continues from.
struct ResumePoint {
  std::string argument;  ///< As the user gave it: a run's folder or one of its checkpoints.
  RunPath path;
  std::optional<std::filesystem::path> newest;  ///< The run's newest checkpoint, even if `path` names another.
  proto::Config stored;                         ///< The run's config, with all defaults.
  std::optional<TrainerState> state;            ///< The checkpoint's state; nothing if there is none yet.

  int64_t step() const { return state ? state->step : 0; }
};

/// The folder of a run that is to go on where it is. It is locked before anything in it is read, so that no other
/// trainer changes the run meanwhile.
class ResumedFolder {
 public:
  /// Throws Error if `argument` names no run, or if another trainer works in its folder. A folder that cannot be locked
  /// because it cannot be written to is an Error only when it is taken: a run with nothing left to train needs no lock.
  explicit ResumedFolder(const std::string& argument);

  /// May be called once.
  RunFolder Take();

 private:
  std::optional<RunFolder> folder_;
  std::exception_ptr why_not_;
};

/// Throws Error if the argument names no run or the checkpoint cannot be read. The checkpoint is held: see
/// RunPath::hold.
ResumePoint FindResumePoint(const std::string& argument);

/// Throws Error, which says what to do instead, if a config turns the sparse run of a checkpoint into a dense one, or
/// names other initial weights. Nobody would read those, so the run's record would be false.
void RequireApplicable(const ResumePoint& resume, const proto::Config& config);

/// The message to report in place of `fault`, which says why the checkpoint does not fit the config. The message names
/// what differs between this config and the run's own. Returns `fault` itself if nothing differs.
std::string ExplainMisfit(const ResumePoint& resume, const proto::Config& config, const std::string& fault);

/// Throws Error if resuming from the checkpoint in the run's own folder would discard later checkpoints, the best one
/// among them, the final model or metrics. The error names them and both ways to go on. `overwrite`: the user wants to
/// discard them; this is an Error if the user named no checkpoint, because then there is nothing to discard. Resuming
/// from the newest checkpoint loses at most a few metrics, which are made again. If `trains` is false, nothing is
/// discarded.
void RequireNothingIsLost(const ResumePoint& resume, bool overwrite, bool trains);

/// For a checkpoint of an earlier version, which does not say how long training took: an estimate from the speeds in
/// metrics.jsonl, or nothing if it has none. `note` becomes a line for the user that says which.
std::optional<double> EstimateTrainingSeconds(const ResumePoint& resume, std::string& note);

}  // namespace twofour::train
