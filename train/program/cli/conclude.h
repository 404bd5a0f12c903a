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

/// A run whose last step is made.
struct EndedRun {
  const proto::Config& config;
  const RunFiles& run;
  const Trainer& trainer;
  nn::Module& model;
  const CheckpointStore& checkpoints;
  MetricSink& sink;
  /// What training took in this process; none where it was done before and only the final model was missing.
  std::optional<double> seconds = {};
};

/// Writes the final model and the record of the end, and says to `out` what was made, which evaluation was the best,
/// and why the run ended where that was early.
void Conclude(const EndedRun& ended, std::ostream& out);

}  // namespace twofour::train
