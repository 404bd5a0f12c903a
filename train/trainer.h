#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "twofour/nn/module.h"
#include "twofour/nn/swap.h"
#include "twofour/optim/lr_schedule.h"
#include "twofour/optim/optimizer.h"
#include "twofour/train/checkpoint.h"
#include "twofour/train/clock.h"
#include "twofour/train/data/dataset.h"
#include "twofour/train/data/shuffle.h"
#include "twofour/train/metrics.h"

namespace twofour::train {

struct TrainerOptions {
  int64_t steps = 1000;          ///< Optimizer steps.
  int64_t batch_size = 128;      ///< Samples in one forward and backward pass.
  int64_t accumulate_steps = 1;  ///< Passes averaged for one optimizer step.
  double clip_grad_norm = 0;     ///< 0 does not clip.
  bool shuffle = true;
  uint64_t seed = 1;               ///< Decides the order of the data.
  int64_t eval_every_steps = 100;  ///< Besides after the last step; 0: only then.
  int64_t eval_batch_size = 500;
  int64_t log_every_steps = 50;        ///< 0: never.
  int64_t checkpoint_every_steps = 0;  ///< 0: only at the end.
  bool save_best = true;
};

/// What the trainer works with besides the model; none is owned.
struct TrainerServices {
  MetricSink* sink = nullptr;              ///< Null: records nothing.
  CheckpointStore* checkpoints = nullptr;  ///< Null: saves nothing.
  const Clock* clock = &Clock::Default();
  /// Looked at after every step: true ends the run there, with a checkpoint.
  const std::atomic<bool>* stop = nullptr;
};

/// Trains a classifier: softmax cross-entropy on a Dataset. A run is a pure function of model, data and options; one
/// that is restored from a checkpoint goes on to the same bits.
class Trainer {
 public:
  /// Nothing is owned or copied. Throws Error on an option out of range and when a batch is larger than its data set.
  Trainer(nn::Module& model, optim::Optimizer& optimizer, optim::LrSchedule lr_schedule, const Dataset& train_data,
          const Dataset& eval_data, const TrainerOptions& options, const TrainerServices& services);

  /// Goes on from a checkpoint. Throws Error, each line prefixed by `source`, when it is another model's; nothing has
  /// been changed then.
  void Restore(const CheckpointData& data, const std::string& source);

  /// Trains to the last step. False when it was stopped before. Throws Error (a runtime failure) that names the step,
  /// and the parameter or gradient, when the loss, a gradient or a weight is not finite; a checkpoint is never
  /// written of such a model.
  bool Run();

  /// Loss and accuracy of the model as it stands, over the whole evaluation set.
  EvalMetrics Evaluate();

  const TrainerState& state() const { return state_; }

 private:
  void Step();
  double AccumulateGradients();
  void AfterStep(double loss, double grad_norm, double lr);
  void RecordSparsity();
  void EvaluateAndRecord();
  void SaveCheckpoint();
  bool IsDue(int64_t every) const { return every > 0 && state_.step % every == 0; }
  bool StopRequested() const { return services_.stop != nullptr && *services_.stop; }
  bool Finished() const { return state_.step >= options_.steps; }

  nn::Module& model_;
  optim::Optimizer& optimizer_;
  optim::LrSchedule lr_schedule_;
  const Dataset& train_data_;
  const Dataset& eval_data_;
  TrainerOptions options_;
  TrainerServices services_;
  EpochSampler sampler_;
  std::vector<NamedTensor> parameters_;
  std::vector<Tensor> parameter_tensors_;
  std::vector<nn::NamedSemiSparseLinear> sparse_layers_;
  TrainerState state_;
  int64_t saved_step_ = -1;
  double training_seconds_ = 0;   // Since the last train record.
  int64_t training_samples_ = 0;  // Likewise.
};

}  // namespace twofour::train
