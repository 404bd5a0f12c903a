#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "twofour/nn/mlp.h"
#include "twofour/nn/module.h"
#include "twofour/nn/sparse_training.h"
#include "twofour/optim/lr_schedule.h"
#include "twofour/optim/optimizer.h"
#include "twofour/train/checkpoint.h"
#include "twofour/train/clock.h"
#include "twofour/train/metrics.h"
#include "twofour/train/task.h"

namespace twofour::train {

struct TrainerOptions {
  int64_t steps = 1000;                ///< Optimizer steps.
  int64_t accumulate_steps = 1;        ///< Micro-batches averaged for one optimizer step.
  double clip_grad_norm = 0;           ///< 0 does not clip.
  int64_t eval_every_steps = 100;      ///< Besides after the last step; 0: only then.
  int64_t log_every_steps = 50;        ///< 0: never.
  int64_t checkpoint_every_steps = 0;  ///< 0: only at the end.
  int64_t histogram_every_steps = 0;   ///< 0: never. Hands every parameter and gradient to the sink.
  bool save_best = true;
  double peak_flops = 0;  ///< What the processor can do in a second at most; 0: no model FLOP utilisation is recorded.
  bool peak_is_rough = false;  ///< See PeakFlops::sure.
};

/// What the trainer works with besides the model; none is owned.
struct TrainerServices {
  MetricSink* sink = nullptr;              ///< Null: records nothing.
  CheckpointStore* checkpoints = nullptr;  ///< Null: saves nothing.
  const Clock* clock = &Clock::Default();
  /// Looked at after every step: true ends the run there, with a checkpoint.
  const std::atomic<bool>* stop = nullptr;
};

/// The training loop, whatever the task. A run is a pure function of task, optimizer and options; one that is restored
/// from a checkpoint goes on to the same bits.
class Trainer {
 public:
  /// Nothing is owned or copied. Throws Error on an option out of range.
  Trainer(Task& task, optim::Optimizer& optimizer, optim::LrSchedule lr_schedule, const TrainerOptions& options,
          const TrainerServices& services);

  /// Goes on from a checkpoint. Throws Error, each line prefixed by `source`, when it is another model's; nothing has
  /// been changed then.
  void Restore(const CheckpointData& data, const std::string& source);

  /// Trains to the last step. False when it was stopped before. Throws Error (a runtime failure) that names the step,
  /// and the parameter or gradient, when the loss, a gradient or a weight is not finite; a checkpoint is never
  /// written of such a model.
  bool Run();

  /// The model as it stands, over all evaluation data.
  EvalMetrics Evaluate();

  const TrainerState& state() const { return state_; }

 private:
  void Step();
  double AccumulateGradients();
  void AfterStep(double loss, double grad_norm, double lr);
  void MeasureDensities(bool on);
  /// Of the masks and gradients of this step's passes, before the next search.
  void MeasureMaskedGradients();
  void RecordLayers();
  void RecordTensors();
  void EvaluateAndRecord();
  void SaveCheckpoint();
  bool IsDue(int64_t every) const { return every > 0 && state_.step % every == 0; }
  bool StopRequested() const { return services_.stop != nullptr && *services_.stop; }
  bool Finished() const { return state_.step >= options_.steps; }

  Task& task_;
  nn::Module& model_;
  optim::Optimizer& optimizer_;
  optim::LrSchedule lr_schedule_;
  TrainerOptions options_;
  TrainerServices services_;
  std::vector<NamedTensor> parameters_;
  std::vector<Tensor> parameter_tensors_;
  nn::SparseTraining sparse_;
  std::vector<double> masked_gradient_shares_;  // Of each layer of sparse_, in the last step that was measured.
  std::vector<std::pair<std::string, nn::Mlp*>> mlps_;
  TrainerState state_;
  int64_t saved_step_ = -1;
  double training_seconds_ = 0;  // Since the last train record.
  int64_t training_units_ = 0;   // Likewise.
};

}  // namespace twofour::train
