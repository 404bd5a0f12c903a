#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "twofour/comm/communicator.h"
#include "twofour/core/faults.h"
#include "twofour/nn/module.h"
#include "twofour/nn/sparse_training.h"
#include "twofour/nn/step_hook.h"
#include "twofour/optim/lr_schedule.h"
#include "twofour/optim/optimizer.h"
#include "twofour/train/checkpoint.h"
#include "twofour/train/clock.h"
#include "twofour/train/metrics.h"
#include "twofour/train/parallel/data_parallel.h"
#include "twofour/train/task.h"
#include "twofour/train/telemetry.h"

namespace twofour::train {

struct TrainerOptions {
  int64_t steps = 1000;          ///< Optimizer steps.
  int64_t accumulate_steps = 1;  ///< Micro-batches averaged for one optimizer step.
  /// Into how many parts the micro-batches of a step are cut, which are added up along a binary tree (ShardTree). It
  /// decides the bits of results. A number of ranks that divides it may train together, and does not.
  int64_t shards = 1;
  double clip_grad_norm = 0;           ///< 0 does not clip.
  int64_t eval_every_steps = 100;      ///< There is always one after the last step; 0: only that one.
  int64_t log_every_steps = 50;        ///< 0: never.
  int64_t checkpoint_every_steps = 0;  ///< 0: only at the end.
  int64_t histogram_every_steps = 0;   ///< 0: never. Hands every parameter and gradient to the sink.
  bool save_best = true;
  /// Ends the run after this many evaluations in a row whose loss is not below the lowest loss before them; 0: never.
  /// Keras and PyTorch Lightning call this patience, with a min_delta of 0. Only evaluations at multiples of
  /// eval_every_steps count. An extra one, at the end of a run that is later made longer, counts neither as a gain nor
  /// as none. So the longer run stops where it would have stopped without the interruption.
  int64_t stop_after_evaluations_without_gain = 0;
  /// Evaluations of earlier steps, but for the last step's, neither become the best nor count for patience: the model
  /// is not yet as sparse as it will be, so that its losses do not compare with later ones.
  int64_t compare_from_step = 0;
  /// Names what is pruned; empty where nothing is. Checkpoints hold it. Evaluations of a run that is restored from one
  /// of another name do not compare with those after it, and its masks are searched for anew.
  std::string sparsity_id = {};
  /// Evaluates also before the first step. The result is recorded as that of step 0, and cannot become the best. The
  /// record is written only after the first step is done, so that a first step that fails writes nothing.
  bool evaluate_first = false;
  double peak_flops = 0;       ///< The processor's highest speed, per second. 0: no model FLOP utilisation is recorded.
  bool peak_is_rough = false;  ///< See PeakFlops::sure.
};

/// A larger number of micro-batches for one step is taken for a mistake.
inline constexpr int64_t kMaxAccumulation = 1 << 20;

/// Rules: numbers of steps are not negative, there is at least one micro-batch (and at most kMaxAccumulation), shards
/// divide the micro-batches, and clip_grad_norm is finite and not negative.
void Check(const TrainerOptions& options, const FieldPath& at, Faults& faults);

/// What the trainer uses besides the model. It owns none of them.
struct TrainerServices {
  MetricSink* sink = nullptr;              ///< Null: records nothing.
  CheckpointStore* checkpoints = nullptr;  ///< Null: saves nothing.
  const Clock* clock = &Clock::Default();
  /// Called once, before Run() writes its first record or checkpoint. A caller that continues or replaces an earlier
  /// run changes that run's files here and not before, so that a start which fails at once changes nothing. For the
  /// same reason the record of an evaluation before the first step is written only after that step. If this throws,
  /// nothing is written.
  std::function<void()> before_writing = {};
  /// Called around each step, in this order, after the trainer's own hooks (telemetry and layers with masks). They must
  /// outlive the trainer. Checkpoints hold no state of theirs.
  std::vector<nn::StepHook*> hooks = {};
  /// The ranks that train together, of which this process is one; null: it trains alone. All ranks make the same calls
  /// of a trainer with the same task, optimizer, schedule and options. `sink`, `checkpoints` and `before_writing` are
  /// for the first rank; the others leave them null.
  comm::Communicator* ranks = nullptr;
  /// How gradients travel between ranks.
  GradientExchange::Options exchange = {};
  /// Checked after every step and before every batch of an evaluation. Of several ranks, one that is asked to stop
  /// stops all. True ends the run there, with a checkpoint. A
  /// run that continues from it begins with the unfinished evaluation. If it ends the evaluation before the first step,
  /// there is no checkpoint, and nothing is written.
  const std::atomic<bool>* stop = nullptr;
};

/// Rules: there is a clock, and no hook is null.
void Check(const TrainerServices& services, const FieldPath& at, Faults& faults);

/// The training loop for any task. A run depends only on the task, the optimizer, the learning rates, the options and
/// TrainerServices::hooks, and not on the number of ranks. A run that is restored from a checkpoint, by any number of
/// ranks, reaches the same bits as one that was never interrupted, if the same is true of its hooks.
class Trainer {
 public:
  /// Nothing is owned or copied. The model's layers may be swapped later, but not during Run(). Throws Error on options
  /// and services that Check finds fault with, and if there is no function `lr_schedule`.
  Trainer(Task& task, optim::Optimizer& optimizer, optim::LrSchedule lr_schedule, const TrainerOptions& options,
          const TrainerServices& services);

  /// Only evaluations from this step on may become the best and count for patience.
  int64_t first_compared_step() const;

  /// Continues from a checkpoint. Throws Error, each line prefixed by `source`, that names everything about the
  /// checkpoint that does not fit the model, the optimizer and the options. Then nothing has been changed. After any
  /// other exception (there was no memory) Run throws Error until another Restore has succeeded.
  void Restore(const CheckpointData& data, const std::string& source);

  /// Trains to the last step or until an early stop. Returns false when TrainerServices::stop ended it before. A best
  /// step whose checkpoint no longer exists is forgotten, and a later evaluation becomes the best. Throws Error that
  /// names the step and the last checkpoint when anything fails, hooks included. Where the failure left the state of
  /// the last step whole (a batch or an evaluation could not be read, there was no memory, optim::CheckLr found fault
  /// with the learning rate), it first writes a checkpoint, from which Restore and Run can continue. It writes none if
  /// the failure came during the update, from the end of the last backward pass on, or while the step was recorded.
  /// Both include the hooks. A loss, gradient or weight that is not finite is a runtime failure that names the
  /// parameter or gradient. Then it writes no checkpoint, because the same step would fail again with any learning
  /// rate.
  ///
  /// Of several ranks, all throw where the failure is the same for all or was told to all (SharedError). Otherwise the
  /// ranks no longer agree on what comes next: no checkpoint is written, and whoever called Run should end all ranks
  /// (comm::Communicator::Abort).
  ///
  /// After a failure, Run can be called again if the state of the last step is whole, or if only a checkpoint could not
  /// be written: it goes on as if nothing had happened, and makes a failed evaluation first. After any other failure it
  /// throws Error until Restore has put the state of a checkpoint in the place of the one that is half changed.
  bool Run();

  /// Evaluates the model as it is now on all evaluation data.
  EvalMetrics Evaluate() { return *EvaluateUnless(nullptr); }

  const TrainerState& state() const { return state_; }
  /// Whether no step is left.
  bool Finished() const { return state_.step >= options_.steps || StoppedEarly(); }
  /// Whether the run ends before its last step, because of too many evaluations without gain.
  bool StoppedEarly() const;
  /// The loss of the last evaluation in Run() since the last Restore(), if there was one; nothing before the first.
  std::optional<double> last_evaluation_loss() const { return last_evaluation_loss_; }
  /// How long this rank has exchanged gradients with others in the last Run().
  const ExchangeTime& exchange_time() const { return parallel_->gradients().time(); }

 private:
  /// What is under way. It tells whether weights and optimizer are those after state_.step, and whether that step is
  /// fully recorded.
  enum class Stage {
    kBetweenUpdates,  ///< Both are true. Gradients may be half computed.
    kUpdating,        ///< Weights and optimizer may be something in between, or not finite.
    kRestoring,       ///< Weights and optimizer may be something in between.
    kRecording,       ///< They are those of the step, but its records are missing.
    kEvaluating,      ///< They are those of the step, but its evaluation is missing.
  };

  /// Layers may have been swapped since the trainer was made.
  void FindLayers();
  void Step();
  /// Counts a step that began at this time of the clock.
  void CountTime(double start);
  /// Whether the step just made is recorded, evaluated or saved.
  bool PausesAfterStep() const;
  /// The norm of all gradients, which are with their owners. Also says which parameters have one.
  double GradNorm();
  [[noreturn]] void ThrowNotFinite(const std::string& what, double value);
  void Record(const nn::StepContext& step, double loss, double grad_norm, MetricDetails details);
  /// Calls this function of all hooks.
  void CallHooks(void (nn::StepHook::*function)(const nn::StepContext&), const nn::StepContext& step);
  /// Lets the first rank write to its sink, if it has one, and the others wait for how that went.
  void RecordOnFirst(const std::function<void(MetricSink& sink)>& record);
  void RecordTensors();
  std::optional<EvalMetrics> EvaluateUnless(const std::atomic<bool>* stop);
  /// Evaluates, and throws Error if the loss is not finite. Returns nothing when it was stopped.
  std::optional<EvalMetrics> EvaluateFinite();
  void Record(const EvalMetrics& metrics);
  void RecordFirstEvaluation();
  void EvaluateAndSaveBest();
  void SaveCheckpoint();
  void BeforeWriting();
  /// Saves the state after a failure where that is possible. Returns what to add to the failure's message.
  std::string SaveAfterFailure(const std::exception& failure);
  /// Whether weights, optimizer and records are all those after state_.step.
  bool IsWhole() const { return stage_ == Stage::kBetweenUpdates || stage_ == Stage::kEvaluating; }
  bool IsDue(int64_t every) const { return every > 0 && state_.step % every == 0; }
  bool IsAlone() const { return ranks_->size() == 1; }
  bool LogsStep() const { return records_ && IsDue(options_.log_every_steps); }
  bool StopRequested() const { return IsAlone() ? services_.stop != nullptr && *services_.stop : told_to_stop_; }

  Task& task_;
  nn::Module& model_;
  optim::Optimizer& optimizer_;
  optim::LrSchedule lr_schedule_;
  TrainerOptions options_;
  TrainerServices services_;
  std::vector<NamedTensor> parameters_;
  std::vector<Tensor> parameter_tensors_;
  std::optional<Telemetry> telemetry_;  // Both know the layers that the model had at the last FindLayers().
  std::optional<nn::SparseTraining> sparse_;
  std::vector<nn::StepHook*> hooks_;  // These two and the caller's.
  comm::SingleProcess alone_;
  comm::Communicator* ranks_;                         // Those of the services, or alone_.
  std::optional<DataParallel> parallel_;              // Made together with hooks_.
  bool records_ = false, saves_ = false;              // Whether the first rank has a sink, and a store for checkpoints.
  bool told_to_stop_ = false;                         // Some rank was, in the last step or evaluation.
  std::vector<std::optional<double>> squared_norms_;  // Of each gradient of the step.
  TrainerState state_;
  Stage stage_ = Stage::kBetweenUpdates;
  bool saving_ = false;       // A checkpoint is being written, or the place for it prepared.
  bool has_written_ = false;  // BeforeWriting has succeeded.
  int64_t saved_step_ = -1;
  std::string restored_from_;
  std::optional<EvalMetrics> first_evaluation_;  // The evaluation before the first step, until that step is done.
  std::optional<double> last_evaluation_loss_;
  double seconds_since_record_ = 0;  // Spent in steps since the last train record.
  int64_t units_since_record_ = 0;   // Trained on since the last train record.
};

}  // namespace twofour::train
