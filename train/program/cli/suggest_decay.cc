#include "twofour/train/program/cli/suggest_decay.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/parallel.h"
#include "twofour/train/decay_choice.h"
#include "twofour/train/program/cli/arguments.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/program/cli/startup_table.h"
#include "twofour/train/program/config/build.h"
#include "twofour/train/program/config/data_files.h"
#include "twofour/train/program/config/initial_weights.h"
#include "twofour/train/program/config/options.h"
#include "twofour/train/program/config/quantized_run.h"
#include "twofour/train/program/config/sparsity_parts.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/validate.h"
#include "twofour/train/program/config/workload.h"
#include "twofour/train/program/start/config_changes.h"
#include "twofour/train/program/start/other_data.h"
#include "twofour/train/program/start/start_computing.h"
#include "twofour/train/program/start/training_start.h"

namespace twofour::train {
namespace {

constexpr int64_t kMaxSteps = 1'000'000'000;

struct Request {
  std::string config;
  ConfigChanges changes;
  std::vector<double> lambdas = {1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1};
  std::optional<int64_t> steps;
};

std::optional<Request> Parse(int argc, const char* const* argv, std::ostream& out) {
  Request request;
  Arguments arguments("suggest-decay");
  arguments.Add("--config", request.config, "Config file (protobuf text)").Type("FILE").Required();
  arguments.Add("--set", request.changes.set, "Set a config field; may repeat").Type("PATH=VALUE").Repeatable();
  arguments.Add("--lambda", request.lambdas, "What to try, separated by commas")
      .Type("L,L,...")
      .Commas()
      .Range(0.0, 1e6)
      .ShowDefault();
  arguments
      .Add("--steps", request.steps, "Optimizer steps of each training (default: a tenth of the run's, at least 50)")
      .Type("N")
      .Range(int64_t{1}, kMaxSteps);
  arguments.Add("--threads", request.changes.threads, "Threads to compute with; 0: all processors it may use")
      .Type("N")
      .Range(int64_t{0}, kMaxThreads);
  if (!arguments.Parse(argc, argv, 1, out)) return std::nullopt;
  return request;
}

/// The mean flip rate over layers and over the second half of the steps. The first half is left out, because at first
/// all masks change a lot.
class FlipRates : public MetricSink {
 public:
  explicit FlipRates(int64_t steps) : first_step_(steps / 2 + 1) {}
  void OnTrain(const TrainMetrics&) override {}
  void OnEval(const EvalMetrics&) override {}
  void OnActivation(const ActivationMetrics&) override {}
  void OnSparsity(const SparsityMetrics& metrics) override {
    if (metrics.step < first_step_) return;
    sum_ += metrics.flip_rate;
    ++count_;
  }
  double Mean() const { return count_ > 0 ? sum_ / static_cast<double>(count_) : 0.0; }

 private:
  int64_t first_step_;
  double sum_ = 0;
  int64_t count_ = 0;
};

/// The flip rate in the first `steps` of a run; nullopt if the run was stopped.
std::optional<double> TrialFlipRate(const proto::Config& config, Workload workload, int64_t steps,
                                    const StopRequest& stop) {
  const TrainingStart start = StartTraining(config, *workload.model, Beginning::kNew);
  TrainerOptions options = BuildTrainerOptions(config);
  options.steps = steps;
  options.log_every_steps = 1;
  options.eval_every_steps = 0;
  options.histogram_every_steps = 0;
  options.stop_after_evaluations_without_gain = 0;
  options.evaluate_first = false;
  FlipRates rates(steps);
  Trainer trainer(*workload.task, *start.optimizer, BuildLrSchedule(config.learning_rate(), config.training().steps()),
                  options, {.sink = &rates, .stop = &stop.stop});
  if (!trainer.Run()) return std::nullopt;
  return rates.Mean();
}

void Say(double dense, const std::vector<DecayTrial>& trials, const std::string& place, std::ostream& out) {
  if (const std::optional<DecayTrial> best = ChooseDecay(dense, trials)) {
    out << fmt::format(
        "suggested: --set sparsity.masked_decay.lambda={:g}  (place {}; ratio {:.2f}, wanted {:.2f} to "
        "{:.2f})\n",
        best->lambda, place, best->flip_rate / dense, kLowestFlipRatio, kHighestFlipRatio);
    return;
  }
  const auto above = [&](const DecayTrial& trial) { return trial.flip_rate / dense > kHighestFlipRatio; };
  const bool all_above = std::all_of(trials.begin(), trials.end(), above);
  const bool none_above = std::none_of(trials.begin(), trials.end(), above);
  out << fmt::format("no lambda brings the ratio into {:.2f} to {:.2f}: try {}\n", kLowestFlipRatio, kHighestFlipRatio,
                     all_above    ? "larger ones"
                     : none_above ? "smaller ones"
                                  : "some between those on either side");
}

}  // namespace

int RunSuggestDecay(int argc, const char* const* argv, const CommandContext& context) {
  std::ostream& out = context.out;
  const StopRequest& stop = context.stop;
  const std::optional<Request> request = Parse(argc, argv, out);
  if (!request) return 0;
  const proto::Config file = LoadTextConfig(request->config);
  RequireNotQuantized(file, request->config);
  proto::Config config = Changed(file, request->changes);
  // In these trainings, masks must flip only because weights change.
  proto::Sparsity& sparsity = *config.mutable_sparsity();
  sparsity.set_enabled(true);
  ClearParts(sparsity, {proto::TIMETABLE});
  config.clear_initial_masks();
  if (sparsity.target() == proto::Sparsity::ACTIVATION) {
    throw Error("config: sparsity.target: ACTIVATION, expected WEIGHT: masked decay is for masks of weights");
  }
  if (config.has_one_shot()) {
    throw Error("config: one_shot: given, expected none: what it masks stays masked and needs no decay");
  }
  if (config.has_finetune()) {
    throw Error("config: finetune: given, expected none: it trains adapters, and a decay would act on frozen weights");
  }
  if (std::ranges::any_of(request->lambdas, [](double lambda) { return std::isnan(lambda); })) {
    throw Error("--lambda: nan, expected numbers of at least 0");
  }
  config = WithDefaults(config);
  ValidateConfig(config, file);  // The file may be that of an earlier version's run.
  constexpr int64_t kFewestSteps = 50, kPart = 10;
  const int64_t total = config.training().steps();
  const int64_t steps = std::min(total, request->steps.value_or(std::max(kFewestSteps, total / kPart)));
  StartComputing(config.threads());

  proto::Config dense = config;
  dense.mutable_sparsity()->set_apply(false);
  dense.mutable_sparsity()->mutable_masked_decay()->set_lambda(0);
  const std::vector<DataFile> files = DataFingerprints().Of(config.data());
  Workload workload = BuildWorkload(dense, files);
  PrintNotes(NotesOf(request->changes), context.err);
  PrintNotes(workload.notes, context.err);
  WarnOfOtherData({.weights = config.initial_weights(), .config = request->config}, workload.data_record, context.err);
  if (!config.initial_weights().empty()) {
    const InitialWeights initial = LoadInitialWeights(config.initial_weights(), *workload.model);
    if (!initial.masks.empty() || !initial.unread_masks.empty()) {
      out << fmt::format("each training finds masks of its own: the masks in {} are not taken over\n", initial.path);
    }
  }
  const std::optional<double> dense_rate = TrialFlipRate(dense, std::move(workload), steps, stop);
  const auto stopped = [&](size_t tried) {
    out << fmt::format("stopped with {} of {} lambdas tried: nothing is suggested\n", tried, request->lambdas.size());
    return 128 + stop.signal;
  };
  if (!dense_rate) return stopped(0);
  out << fmt::format("{} steps each; flip rates over the second half\ndense          {:.3e}\n", steps, *dense_rate);
  ChooseDecay(*dense_rate, {});  // Throws if no suggestion would be possible at the end.
  std::vector<DecayTrial> trials;
  for (const double lambda : request->lambdas) {
    config.mutable_sparsity()->mutable_masked_decay()->set_lambda(lambda);
    const std::optional<double> rate = TrialFlipRate(config, BuildWorkload(config, files), steps, stop);
    if (!rate) return stopped(trials.size());
    trials.push_back({lambda, *rate});
    out << fmt::format("lambda {:<7g} {:.3e}  ratio {:.2f}\n", lambda, *rate,
                       *dense_rate > 0 ? *rate / *dense_rate : 0.0)
        << std::flush;
  }
  Say(*dense_rate, trials, proto::MaskedDecay::Place_Name(config.sparsity().masked_decay().place()), out);
  RequireWritten(out);
  return 0;
}

}  // namespace twofour::train
