#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "twofour/core/peak_estimate.h"
#include "twofour/optim/optimizer.h"
#include "twofour/train/checkpoint.h"
#include "twofour/train/program/cli/command.h"
#include "twofour/train/program/cli/command_line.h"
#include "twofour/train/program/cli/resume.h"
#include "twofour/train/program/config/workload.h"
#include "twofour/train/run_folder.h"
#include "twofour/train/trainer.h"

#include "config.pb.h"

namespace twofour::train {

/// A run as the user asked for it, and everything about it that is decided before its first step.
struct Run {
  CommandLine line;
  std::optional<ResumePoint> resume;
  proto::Config config;
  std::filesystem::path folder;
  Workload workload;
  std::unique_ptr<optim::Optimizer> optimizer;
  std::optional<CheckpointData> start;  ///< The checkpoint to continue from.
  PeakFlops peak = {};                  ///< Left empty where nobody uses it.

  /// Whether it continues in the folder of the run that it resumes, and not in a folder of its own.
  bool in_place() const { return resume && line.out.empty(); }
  /// Optimizer steps that were made before.
  int64_t step() const { return resume ? resume->step() : 0; }
  /// False for a resume at the last step, where nothing is left to do.
  bool trains() const {
    return !resume || !resume->state || resume->state->step != config.training().steps() ||
           resume->state->evaluation_pending;
  }
};

/// What to do if the folder of a new run already holds a run.
RunFolder::IfExists IfExists(const CommandLine& line);

/// The config that the arguments ask for, with all defaults. Throws Error if it is not valid. Fields without an effect
/// are accepted where ValidateConfig says so, and with accept_idle_fields. Notes go to `err`.
proto::Config ResolveConfig(const CommandLine& line, const std::optional<ResumePoint>& resume, std::ostream& err);

/// Checks everything that can be checked before the first step, loads data and checkpoint, builds model and optimizer,
/// and prints what will be trained and with which kernels. Once the checkpoint is loaded, it is no longer held. Writes
/// no files. Throws Error.
Run PrepareRun(const CommandLine& line, std::optional<ResumePoint> resume_point, const proto::Config& config,
               const CommandContext& context);

/// Restores a trainer from the run's checkpoint, if the run continues from one. If the checkpoint belongs to another
/// model, throws Error that names what in the config does not fit.
void RestoreTrainer(Trainer& trainer, const Run& run);

}  // namespace twofour::train
