#pragma once

#include <optional>
#include <string>

#include "twofour/train/run_files.h"
#include "twofour/train/trainer.h"

namespace twofour::train {

/// Where a run that came to its end stands, and what it is told of.
struct RunEnding {
  RunFiles run;
  TrainerState state;
  int64_t model_step = 0;                ///< Of model.safetensors.
  std::optional<double> last_loss = {};  ///< Of the last evaluation, where it was made in this process.
  bool best_saved = false;               ///< Whether the step of state.best_evaluation has a checkpoint.
};

/// Why training ended before its last step: a line, or none where it did not.
std::string EarlyStopLine(const Trainer& trainer);

/// What is said of the model when a run is done: "model: PATH", and, where the best evaluation was not that of the last
/// step, which one it was and where its weights are. Several lines, the last one without an end.
std::string ModelLines(const RunEnding& ending);

}  // namespace twofour::train
