#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/faults.h"
#include "twofour/nn/module.h"
#include "twofour/nn/sparse_training.h"
#include "twofour/nn/step_hook.h"
#include "twofour/optim/lr_schedule.h"
#include "twofour/optim/optimizer.h"
#include "twofour/train/checkpoint.h"
#include "twofour/train/clock.h"
#include "twofour/train/metrics.h"
#include "twofour/train/task.h"
#include "twofour/train/telemetry.h"

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
  /// Ends the run after this many evaluations in a row without one below the lowest loss before them; 0: never. What
  /// Keras and PyTorch Lightning call patience, with a min_delta of 0. Goes by evaluations of every eval_every_steps
  /// steps alone: one that is made besides, because a run ends there that is made longer later, counts neither for a
  /// gain nor against one, so that the longer run stops where it would have in one piece.
  int64_t stop_after_evaluations_without_gain = 0;
  /// Evaluates before the first step as well. What the run begins with is recorded, as of step 0, and is no candidate
  /// for the best. The record is written when the first step was made: one that fails is no reason to write anything.
  bool evaluate_first = false;
  double peak_flops = 0;  ///< What the processor can do in a second at most; 0: no model FLOP utilisation is recorded.
  bool peak_is_rough = false;  ///< See PeakFlops::sure.
};

/// More micro-batches than this for one step are a slip.
inline constexpr int64_t kMaxAccumulation = 1 << 20;

/// Numbers of steps that are not negative, a micro-batch at least, and a norm to clip to that is finite.
void Check(const TrainerOptions& options, const FieldPath& at, Faults& faults);

/// What the trainer works with besides the model; none is owned.
struct TrainerServices {
  MetricSink* sink = nullptr;              ///< Null: records nothing.
  CheckpointStore* checkpoints = nullptr;  ///< Null: saves nothing.
  const Clock* clock = &Clock::Default();
  /// Called once, before the first record or checkpoint of Run() is written. What goes on with an earlier run, or takes
  /// its place, changes that run's files here and not before, so that a start which fails at once changes nothing: the
  /// record of an evaluation before the first step waits for that step, too. Where it throws, nothing is written.
  std::function<void()> before_writing = {};
  /// Called around each step, in this order, behind what the trainer does itself for layers with masks.
  std::vector<nn::StepHook*> hooks = {};
  /// Looked at after every step and before every batch of an evaluation: true ends the run there, with a checkpoint. A
  /// run that goes on from it begins with the evaluation that was not made to its end. One that was to be made before
  /// the first step leaves no checkpoint, and nothing is written.
  const std::atomic<bool>* stop = nullptr;
};

/// The training loop, whatever the task. A run is a pure function of task, optimizer and options; one that is restored
/// from a checkpoint goes on to the same bits.
class Trainer {
 public:
  /// Nothing is owned or copied. Throws Error on options that Check finds fault with.
  Trainer(Task& task, optim::Optimizer& optimizer, optim::LrSchedule lr_schedule, const TrainerOptions& options,
          const TrainerServices& services);

  /// Goes on from a checkpoint. Throws Error, each line prefixed by `source`, when it is another model's; nothing has
  /// been changed then.
  void Restore(const CheckpointData& data, const std::string& source);

  /// Trains to the last step, or until an early stop. False when it was stopped before by the caller. A best step that
  /// is not among the checkpoints any more is forgotten: the best of those to come takes its place. Throws Error that
  /// names the step and the last checkpoint when anything fails. Where the failure left the state of the last step
  /// whole (a batch or an evaluation could not be read, there was no memory), a checkpoint of it is written first, as
  /// Restore and Run go on from. A loss, gradient or weight that is not finite is a runtime failure that names the
  /// parameter or gradient. Then no checkpoint is written: the same step would fail again, whatever the learning rate.
  bool Run();

  /// The model as it stands, over all evaluation data.
  EvalMetrics Evaluate() { return *EvaluateUnless(nullptr); }

  const TrainerState& state() const { return state_; }
  /// Whether no step is left to be made.
  bool Finished() const { return state_.step >= options_.steps || StoppedEarly(); }
  /// Whether the run ends before its last step, for too many evaluations without gain.
  bool StoppedEarly() const;
  /// The loss of the last evaluation that was made since this object was; none before the first.
  std::optional<double> last_evaluation_loss() const { return last_evaluation_loss_; }

 private:
  /// What is under way, and so whether the weights and the optimizer are those after state_.step, and all is recorded.
  enum class Stage {
    kBetweenUpdates,  ///< They are. Gradients may be computed.
    kUpdating,        ///< They may be something in between, or not finite.
    kRecording,       ///< They are, but records of the step are missing.
    kEvaluating,      ///< They are, but the step's evaluation is missing.
    kSaving,          ///< They are, but the disk is at fault.
  };

  void Step();
  double AccumulateGradients();
  void Record(const nn::StepContext& step, double loss, double grad_norm);
  /// Calls one of a StepHook's functions on all of them.
  void CallHooks(void (nn::StepHook::*function)(const nn::StepContext&), const nn::StepContext& step);
  void RecordTensors();
  std::optional<EvalMetrics> EvaluateUnless(const std::atomic<bool>* stop);
  /// Evaluate, where it is an error if the loss is not finite. Nothing when it was stopped.
  std::optional<EvalMetrics> EvaluateFinite();
  void Record(const EvalMetrics& metrics);
  void RecordFirstEvaluation();
  void EvaluateAndSaveBest();
  void SaveCheckpoint();
  void BeforeWriting();
  /// Saves the state after a failure where that can be done. What to add to the failure's message.
  std::string SaveAfterFailure();
  bool IsDue(int64_t every) const { return every > 0 && state_.step % every == 0; }
  bool StopRequested() const { return services_.stop != nullptr && *services_.stop; }

  Task& task_;
  nn::Module& model_;
  optim::Optimizer& optimizer_;
  optim::LrSchedule lr_schedule_;
  TrainerOptions options_;
  TrainerServices services_;
  std::vector<NamedTensor> parameters_;
  std::vector<Tensor> parameter_tensors_;
  Telemetry telemetry_;
  nn::SparseTraining sparse_;
  std::vector<nn::StepHook*> hooks_;  // Those two and the caller's.
  TrainerState state_;
  Stage stage_ = Stage::kBetweenUpdates;
  int64_t saved_step_ = -1;
  std::string restored_from_;
  std::optional<EvalMetrics> first_evaluation_;  // Made before the first step, until that has been made.
  std::optional<double> last_evaluation_loss_;
  double training_seconds_ = 0;  // Since the last train record.
  int64_t training_units_ = 0;   // Likewise.
};

}  // namespace twofour::train
