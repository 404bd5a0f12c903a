#include "twofour/train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <new>
#include <span>
#include <utility>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/note_fault.h"
#include "twofour/nn/model.h"
#include "twofour/nn/state_dict.h"
#include "twofour/nn/training_mode_scope.h"
#include "twofour/optim/clip.h"
#include "twofour/train/finite_check.h"
#include "twofour/train/parallel/agreement.h"
#include "twofour/train/parallel/evaluation_shares.h"
#include "twofour/train/parallel/shared_telemetry.h"
#include "twofour/train/restored_state.h"
#include "twofour/train/step_pass.h"

namespace twofour::train {
namespace {

void Count(const EvalMetrics& metrics, BestEvaluation& best) {
  if (best.step == 0 || metrics.loss < best.loss) {
    best = {metrics.step, metrics.loss, 0};
  } else {
    ++best.evaluations_since;
  }
}

/// Whether weights are rounded to bf16 by all that reads them in a step, where that is a product. Hooks may read them,
/// too.
bool RoundsWeights(const nn::Module& module, const TrainerServices& services) {
  const auto* const model = dynamic_cast<const nn::Model*>(&module);
  return model != nullptr && model->activation_dtype() == DType::kBF16 && services.hooks.empty();
}

}  // namespace

void Check(const TrainerOptions& options, const FieldPath& at, Faults& faults) {
  faults.InRange(at("steps"), options.steps, 0, kMaxCount);
  faults.InRange(at("accumulate_steps"), options.accumulate_steps, 1, kMaxAccumulation);
  if (faults.IsSound(at("accumulate_steps"))) {
    CheckShards(options.shards, options.accumulate_steps, at("shards"), faults);
  }
  faults.AtLeast(at("clip_grad_norm"), options.clip_grad_norm, 0);
  faults.InRange(at("stop_after_evaluations_without_gain"), options.stop_after_evaluations_without_gain, 0, kMaxCount);
  faults.InRange(at("eval_every_steps"), options.eval_every_steps, 0, kMaxCount);
  faults.InRange(at("compare_from_step"), options.compare_from_step, 0, kMaxCount);
  faults.InRange(at("checkpoint_every_steps"), options.checkpoint_every_steps, 0, kMaxCount);
  faults.InRange(at("log_every_steps"), options.log_every_steps, 0, kMaxCount);
  faults.InRange(at("histogram_every_steps"), options.histogram_every_steps, 0, kMaxCount);
}

void Check(const TrainerServices& services, const FieldPath& at, Faults& faults) {
  if (services.clock == nullptr) faults.Expect(false, at("clock"), "null", "a clock");
  for (size_t i = 0; i < services.hooks.size(); ++i) {
    if (services.hooks[i] == nullptr) faults.Expect(false, at.In("hooks", i)(""), "null", "a hook");
  }
}

Trainer::Trainer(Task& task, optim::Optimizer& optimizer, optim::LrSchedule lr_schedule, const TrainerOptions& options,
                 const TrainerServices& services)
    : task_(task),
      model_(task.model()),
      optimizer_(optimizer),
      lr_schedule_(std::move(lr_schedule)),
      options_(Checked(options, "trainer: ")),
      services_(Checked(services, "trainer: ")),
      parameters_(model_.NamedParameters()),
      parameter_tensors_(model_.Parameters()),
      ranks_(services_.ranks != nullptr ? services_.ranks : &alone_) {
  if (!lr_schedule_) throw Error("trainer: lr_schedule is empty, expected a function");
  state_.sparsity = SparsityOf(options_);
  FindLayers();
}

void Trainer::FindLayers() {
  telemetry_.emplace(model_, options_.log_every_steps);
  sparse_.emplace(model_);
  sparse_->SetOptimizerStep(state_.step);
  hooks_ = {&*telemetry_, &*sparse_};
  hooks_.insert(hooks_.end(), services_.hooks.begin(), services_.hooks.end());
  parallel_.emplace(*ranks_, model_, optimizer_,
                    DataParallel::Options{.shards = options_.shards,
                                          .exchange = services_.exchange,
                                          .rounds_weights = RoundsWeights(model_, services_)});
}

void Trainer::Restore(const CheckpointData& data, const std::string& source) {
  StateReader model(data.model, source + "/model.safetensors");
  const std::vector<NamedTensor> own_state = parallel_->OwnPartOf(data.optimizer);
  StateReader optimizer(own_state, source + "/optimizer.safetensors");
  const StateCommit load_model = nn::ReadStateDict(model_, model);
  const StateCommit load_optimizer = optimizer_.ReadStateDict(optimizer);
  std::vector<std::string> faults;
  NoteFault(faults, [&] { model.Finish(nn::kUnknownTensor); });
  NoteFault(faults, [&] { optimizer.Finish(optim::Optimizer::kUnknownTensor); });
  NoteFault(faults, [&] { CheckState(data.state, options_.steps, source); });
  ThrowFaults(faults);
  stage_ = Stage::kRestoring;
  load_model();
  load_optimizer();
  state_ = data.state;
  state_.sparsity = SparsityAfter(data.state, options_);
  ForgetWhatDoesNotCompare(first_compared_step(), state_);
  first_evaluation_.reset();
  last_evaluation_loss_.reset();
  seconds_since_record_ = 0;
  units_since_record_ = 0;
  FindLayers();
  if (HasOtherMasks(data.state, options_)) sparse_->SearchAnew();
  saved_step_ = state_.step;
  restored_from_ = source;
  stage_ = Stage::kBetweenUpdates;
}

int64_t Trainer::first_compared_step() const { return std::min(state_.sparsity->compare_from, options_.steps); }

bool Trainer::StoppedEarly() const {
  const int64_t patience = options_.stop_after_evaluations_without_gain;
  return patience > 0 && state_.best_scheduled.evaluations_since >= patience && state_.step < options_.steps;
}

bool Trainer::Run() {
  int64_t step = state_.step + 1;  // The step under way, for messages.
  if (!IsWhole()) {
    const int64_t failed = stage_ == Stage::kUpdating ? step : std::max<int64_t>(state_.step, 1);
    throw Error(
        fmt::format("trainer: {} failed half-way, so weights, optimizer or records may be those of no step; "
                    "expected Restore() before Run()",
                    stage_ == Stage::kRestoring ? "Restore()" : fmt::format("step {}", failed)));
  }
  saving_ = false;
  told_to_stop_ = false;
  records_ = ValueOfFirst(*ranks_, services_.sink != nullptr) != 0;
  saves_ = ValueOfFirst(*ranks_, services_.checkpoints != nullptr) != 0;
  try {
    RequireFinite(parameters_);
  } catch (const Error& error) {
    // The message names no checkpoint: the one that the weights were restored from is as bad.
    throw Error(fmt::format("before step {}: {}", step, error.what()), error.kind());
  }
  try {
    stage_ = Stage::kBetweenUpdates;
    FindLayers();
    if (!IsAlone()) parallel_->RefreshMasks();
    // An earlier Run() may have failed to save the best step, which this is.
    if (state_.step > 0 && state_.best_step == state_.step) SaveCheckpoint();
    // If the checkpoint of the best step is gone, a later evaluation becomes the best.
    if (services_.checkpoints != nullptr && !services_.checkpoints->Find(state_.best_step)) state_.best_step = 0;
    state_.best_step = ValueOfFirst(*ranks_, state_.best_step);
    // If the evaluation before the first step is stopped, there is nothing to save.
    if (options_.evaluate_first && state_.step == 0) {
      first_evaluation_ = EvaluateFinite();
      stage_ = Stage::kBetweenUpdates;
      if (!first_evaluation_) return false;
    }
    if (state_.evaluation_pending) {
      EvaluateAndSaveBest();
      if (state_.evaluation_pending) return false;
      SaveCheckpoint();
    }
    for (; !Finished(); ++step) {
      Step();
      if (StopRequested()) break;
    }
    parallel_->ShareMasters();
    SaveCheckpoint();
  } catch (const std::exception& error) {
    if (stage_ == Stage::kEvaluating && state_.step > 0) state_.evaluation_pending = true;
    const auto* known = dynamic_cast<const Error*>(&error);
    const bool no_memory = dynamic_cast<const std::bad_alloc*>(&error) != nullptr;
    const std::string message = fmt::format("step {}: {}{}", std::min(step, options_.steps),
                                            no_memory ? "out of memory" : error.what(), SaveAfterFailure(error));
    const ErrorKind kind = known != nullptr ? known->kind() : ErrorKind::kRuntimeFailure;
    ThrowLike(error, message, kind);
  }
  return Finished() && !state_.evaluation_pending;
}

void Trainer::CallHooks(void (nn::StepHook::*function)(const nn::StepContext&), const nn::StepContext& step) {
  for (nn::StepHook* const hook : hooks_) (hook->*function)(step);
}

void Trainer::Step() {
  const double start = services_.clock->Seconds();
  const nn::StepContext step = {.step = state_.step, .lr = lr_schedule_(state_.step)};
  // The optimizer would refuse it only in the middle of the step.
  optim::RequireLr(step.lr, "the schedule's ");
  CallHooks(&nn::StepHook::BeforeStep, step);
  // A process alone finds masks when a forward pass needs them.
  if (!IsAlone()) parallel_->RefreshMasks();
  model_.SetTraining(true);
  optimizer_.ZeroGrad();
  // Telemetry looks at all of a gradient.
  if (!parallel_->is_trivial()) parallel_->BeginStep(!telemetry_->Measures(step));
  const StepSums sums =
      StepPass(task_, options_.accumulate_steps, hooks_, *sparse_, *parallel_, services_.stop).Run(step);
  told_to_stop_ = sums.stop;
  stage_ = Stage::kUpdating;
  if (!std::isfinite(sums.loss)) ThrowNotFinite("the loss", sums.loss);
  CallHooks(&nn::StepHook::AfterBackward, step);
  if (!IsAlone() && telemetry_->Measures(step)) ShareTelemetry(*ranks_, *telemetry_);
  const double grad_norm = GradNorm();
  if (!std::isfinite(grad_norm)) ThrowNotFinite("the gradient's norm", grad_norm);
  if (options_.clip_grad_norm > 0) optim::ClipGradNorm(parameter_tensors_, options_.clip_grad_norm, grad_norm);
  CallHooks(&nn::StepHook::BeforeUpdate, step);
  optimizer_.set_lr(step.lr);
  optimizer_.Step();
  CallHooks(&nn::StepHook::AfterUpdate, step);
  parallel_->ShareWeights(squared_norms_);
  RequireFinite(parameters_);
  ++state_.step;
  stage_ = Stage::kRecording;
  CallHooks(&nn::StepHook::AfterStep, step);
  // What pauses training would otherwise search for the masks of the next step, and that time would not be counted.
  if (PausesAfterStep()) {
    parallel_->ShareMasters();
    parallel_->RefreshMasks();
  }
  CountTime(start);
  Record(step, sums.loss, grad_norm, task_.StepDetails(sums.sums));
}

double Trainer::GradNorm() {
  if (parallel_->is_trivial()) return optim::GradNorm(parameter_tensors_);
  squared_norms_ = parallel_->SquaredNorms();
  double squares = 0;
  for (const std::optional<double>& square : squared_norms_) squares += square.value_or(0);
  return std::sqrt(squares);
}

void Trainer::ThrowNotFinite(const std::string& what, double value) {
  // Only the owner of a gradient can tell that it is the one.
  std::string where = WhereNotFinite(parameters_);
  for (const auto& bytes : ranks_->AllGatherAnySize(std::as_bytes(std::span(where)))) {
    if (where.empty()) where.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  const std::string message = DescribeNotFinite(what, value, where, parameters_);
  throw SharedError(message, ErrorKind::kRuntimeFailure);
}

void Trainer::CountTime(double start) {
  const double seconds = services_.clock->Seconds() - start;
  if (state_.training_seconds) *state_.training_seconds += seconds;
  seconds_since_record_ += seconds;
  units_since_record_ += task_.units_per_batch() * options_.accumulate_steps;
}

bool Trainer::PausesAfterStep() const {
  const bool saves = saves_ && IsDue(options_.checkpoint_every_steps);
  return LogsStep() || IsDue(options_.eval_every_steps) || saves || Finished();
}

void Trainer::Record(const nn::StepContext& step, double loss, double grad_norm, MetricDetails details) {
  RecordFirstEvaluation();
  if (LogsStep()) {
    const double rate =
        seconds_since_record_ > 0 ? static_cast<double>(units_since_record_) / seconds_since_record_ : 0.0;
    const double mfu = options_.peak_flops > 0 ? rate * task_.flops_per_unit() / options_.peak_flops : 0.0;
    RecordOnFirst([&](MetricSink& sink) {
      sink.OnTrain({state_.step, loss, step.lr, grad_norm, task_.unit(), rate, mfu, options_.peak_is_rough,
                    state_.training_seconds, std::move(details)});
      telemetry_->Record(state_.step, sink);
    });
    seconds_since_record_ = 0;
    units_since_record_ = 0;
  }
  if (records_ && IsDue(options_.histogram_every_steps)) RecordTensors();
  stage_ = Stage::kBetweenUpdates;
  if (IsDue(options_.eval_every_steps) || Finished()) EvaluateAndSaveBest();
  if (IsDue(options_.checkpoint_every_steps)) SaveCheckpoint();
}

void Trainer::RecordOnFirst(const std::function<void(MetricSink& sink)>& record) {
  BeforeWriting();
  Together(*ranks_, [&] {
    if (services_.sink != nullptr) record(*services_.sink);
  });
}

void Trainer::RecordTensors() {
  parallel_->GatherGradients();
  RecordOnFirst([this](MetricSink& sink) {
    for (const auto& [name, tensor] : parameters_) {
      sink.OnTensor({state_.step, TensorMetrics::Kind::kWeight, name, tensor});
      if (!tensor.grad().defined()) continue;
      sink.OnTensor({state_.step, TensorMetrics::Kind::kGradient, name, tensor.grad()});
    }
  });
}

std::optional<EvalMetrics> Trainer::EvaluateUnless(const std::atomic<bool>* stop) {
  const NoGradGuard no_grad;
  const nn::TrainingModeScope evaluating(model_, false);
  RankShares shares(*ranks_);
  std::optional<EvalMetrics> metrics = task_.EvaluateUnless(stop, IsAlone() ? nullptr : &shares);
  if (metrics) {
    metrics->step = state_.step;
    metrics->training_seconds = state_.training_seconds;
  }
  return metrics;
}

std::optional<EvalMetrics> Trainer::EvaluateFinite() {
  stage_ = Stage::kEvaluating;
  std::optional<EvalMetrics> metrics = EvaluateUnless(services_.stop);
  stage_ = Stage::kRecording;
  if (!metrics) told_to_stop_ = true;
  if (metrics && !std::isfinite(metrics->loss)) ThrowNotFinite("the evaluation loss", metrics->loss);
  return metrics;
}

void Trainer::Record(const EvalMetrics& metrics) {
  RecordOnFirst([&metrics](MetricSink& sink) { sink.OnEval(metrics); });
  last_evaluation_loss_ = metrics.loss;
}

void Trainer::RecordFirstEvaluation() {
  if (const auto metrics = std::exchange(first_evaluation_, std::nullopt)) Record(*metrics);
}

void Trainer::EvaluateAndSaveBest() {
  const std::optional<EvalMetrics> metrics = EvaluateFinite();
  if (!metrics) {
    state_.evaluation_pending = true;
    stage_ = Stage::kBetweenUpdates;
    return;
  }
  Record(*metrics);
  if (std::exchange(state_.evaluation_pending, false)) saved_step_ = -1;  // The saved one is marked as pending.
  stage_ = Stage::kBetweenUpdates;
  if (state_.step < first_compared_step()) return;
  Count(*metrics, state_.best_evaluation);
  if (IsDue(options_.eval_every_steps)) Count(*metrics, state_.best_scheduled);
  if (options_.save_best && (state_.best_step == 0 || metrics->loss < state_.best_loss)) {
    state_.best_step = state_.step;
    state_.best_loss = metrics->loss;
    SaveCheckpoint();
  }
}

void Trainer::SaveCheckpoint() {
  RecordFirstEvaluation();  // For a run without steps.
  if (!saves_ || saved_step_ == state_.step) return;
  BeforeWriting();
  saving_ = true;
  parallel_->ShareMasters();
  parallel_->RefreshMasks();
  const CheckpointData data = parallel_->GatherState(optimizer_, state_);
  Together(*ranks_, [&] {
    if (services_.checkpoints != nullptr) services_.checkpoints->Save(data);
  });
  saving_ = false;
  saved_step_ = state_.step;
}

void Trainer::BeforeWriting() {
  if (has_written_) return;
  saving_ = true;  // On all ranks, so that all know what has failed.
  Together(*ranks_, [this] {
    if (services_.before_writing) services_.before_writing();
  });
  has_written_ = true;
  saving_ = false;
  services_.before_writing = nullptr;
}

std::string Trainer::SaveAfterFailure(const std::exception& failure) {
  if (!saves_) return "";
  try {
    // Where saving is what failed, it would fail again. A rank alone cannot put a checkpoint together.
    if (IsWhole() && !saving_ && state_.step > 0 && IsShared(failure, *ranks_)) SaveCheckpoint();
    if (services_.checkpoints == nullptr) return "";
    // Until something has been written, the new folder may be removed again, so the message names the checkpoint that
    // the run began with.
    const bool began = !services_.before_writing || restored_from_.empty();
    const auto newest = began ? services_.checkpoints->Newest() : std::optional<std::filesystem::path>(restored_from_);
    return newest ? fmt::format("; the last checkpoint is {}", newest->string()) : "; there is no checkpoint yet";
  } catch (const std::exception& error) {
    return fmt::format("; no checkpoint of step {} could be written: {}", state_.step, error.what());
  }
}

}  // namespace twofour::train
