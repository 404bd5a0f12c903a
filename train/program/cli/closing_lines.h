#pragma once

#include <optional>
#include <string>

#include "twofour/train/run_files.h"
#include "twofour/train/trainer.h"

namespace twofour::train {

/// The state of a run at its end, for the lines that are printed about it.
struct RunEnding {
  RunFiles run;
  TrainerState state;
  int64_t model_step = 0;                ///< The step of the weights in model.safetensors.
  std::optional<double> last_loss = {};  ///< The last evaluation's loss, if this process made it.
  bool best_saved = false;               ///< Whether the step of state.best_evaluation has a checkpoint.
};

/// A line that says why training ended before its last step. Empty if it did not.
std::string EarlyStopLine(const Trainer& trainer);

/// A line that says what this rank has sent to others, and how much of the time that gradients took backward passes
/// have hidden.
std::string CommunicationLine(const comm::Traffic& sent, const ExchangeTime& time, double steps);

/// The lines about the model of a run that is done: "model: PATH" and, if the best evaluation was not at the last step,
/// which one it was and where its weights are. There is no line break at the end.
std::string ModelLines(const RunEnding& ending);

}  // namespace twofour::train
