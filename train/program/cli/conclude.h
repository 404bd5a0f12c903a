#pragma once

#include <iosfwd>
#include <optional>

#include "twofour/nn/module.h"
#include "twofour/train/checkpoint.h"
#include "twofour/train/metrics.h"
#include "twofour/train/run_files.h"
#include "twofour/train/trainer.h"

#include "config.pb.h"

namespace twofour::train {

/// A run that has made its last step.
struct EndedRun {
  const proto::Config& config;
  const RunFiles& run;
  const Trainer& trainer;
  nn::Module& model;
  const CheckpointStore& checkpoints;
  MetricSink& sink;
  /// How long training took in this process. Nothing if it was done before and only the final model was missing.
  std::optional<double> seconds = {};
};

/// Writes the final model and the record of the end. Prints to `out` what was made, which evaluation was the best, and,
/// if the run ended early, why.
void Conclude(const EndedRun& ended, std::ostream& out);

}  // namespace twofour::train
