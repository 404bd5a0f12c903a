#pragma once

#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>

#include "twofour/train/checkpoint.h"
#include "twofour/train/program/cli/command_line.h"
#include "twofour/train/program/config/workload.h"
#include "twofour/train/run_path.h"

#include "config.pb.h"

namespace twofour::train {

/// What `trainer --resume` goes on from.
struct ResumePoint {
  std::string argument;  ///< As given: a run's folder or one of its checkpoints.
  RunPath path;
  std::optional<std::filesystem::path> newest;  ///< The run's newest checkpoint, whichever is gone on from.
  proto::Config stored;                         ///< The run's config, with all defaults.
  std::optional<TrainerState> state;            ///< Of the checkpoint; nothing where the run has none yet.

  int64_t step() const { return state ? state->step : 0; }
};

/// Throws Error when the argument names no run or the checkpoint cannot be read.
ResumePoint FindResumePoint(const std::string& argument);

/// Throws Error, which says what to do instead, when a config makes the sparse run of a checkpoint a dense one, or has
/// other initial weights, which nobody would read: the run's record would tell of something that never was.
void RequireApplicable(const ResumePoint& resume, const proto::Config& config);

/// The Error to throw in place of `fault`, which is why the checkpoint does not fit what the config describes: it names
/// what in the config differs from the run's own. `fault` itself where nothing does.
std::string ExplainMisfit(const ResumePoint& resume, const proto::Config& config, const std::string& fault);

/// Throws Error when going on from the checkpoint in the run's own folder would discard later checkpoints, and with
/// them the best one, the final model and metrics: it names them and both ways on. `overwrite`: the user wants that,
/// which is an Error where nothing could be meant. After the newest checkpoint there are at most a few metrics, which
/// are made again, and nothing is discarded where nothing is trained.
void RequireNothingIsLost(const ResumePoint& resume, bool overwrite, bool trains);

/// To be called when the run's folder is locked: throws Error when another process, which held the lock until now, has
/// gone on with the run since `resume` was found.
void RequireNotMovedOn(const ResumePoint& resume);

/// Loads the data of a resumed run and makes sure that it is what the run began with. Data that has changed is an Error
/// that names the differences; with `accept_changed_data` it is a note on `err`, and what the run's model was made with
/// stays in force.
Workload LoadResumedWorkload(const ResumePoint& resume, const proto::Config& config, bool accept_changed_data,
                             std::ostream& err);

}  // namespace twofour::train
