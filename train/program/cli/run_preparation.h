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

/// A run as it was asked for, and everything of it that is decided before its first step.
struct Run {
  CommandLine line;
  std::optional<ResumePoint> resume;
  proto::Config config;
  std::filesystem::path folder;
  Workload workload;
  std::unique_ptr<optim::Optimizer> optimizer;
  std::optional<CheckpointData> start;  ///< What it goes on from.
  PeakFlops peak = {};                  ///< Not measured where nothing is made of it.

  /// Whether it goes on in the folder of the run that it resumes, and not in one of its own.
  bool in_place() const { return resume && line.out.empty(); }
  /// Optimizer steps that have been made before.
  int64_t step() const { return resume ? resume->step() : 0; }
  /// False for a resume at the last step, where nothing is left to be done.
  bool trains() const {
    return !resume || !resume->state || resume->state->step != config.training().steps() ||
           resume->state->evaluation_pending;
  }
};

/// What is to be done with a run in the folder of a new one.
RunFolder::IfExists IfExists(const CommandLine& line);

/// The config that the arguments ask for, with all defaults; not validated. Throws Error.
proto::Config ResolveConfig(const CommandLine& line, const std::optional<ResumePoint>& resume);

/// Checks all that can be checked before the first step, loads data and checkpoint, builds model and optimizer, and
/// prints what will be trained and with what. Writes nothing. Throws Error.
Run PrepareRun(const CommandLine& line, const std::optional<ResumePoint>& resume, const proto::Config& config,
               const CommandContext& context);

/// Brings the trainer of a run to where the run's checkpoint stands, if it goes on from one. Throws Error, which names
/// what in the config does not fit, when it is another model's.
void RestoreTrainer(Trainer& trainer, const Run& run);

}  // namespace twofour::train
