#include "twofour/train/program/cli/prune.h"

#include <fmt/format.h>

#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/nn/one_shot_names.h"
#include "twofour/nn/weight_pruner.h"
#include "twofour/sparse/pruning_rounds.h"
#include "twofour/train/program/cli/arguments.h"
#include "twofour/train/program/cli/calibration_arguments.h"
#include "twofour/train/program/cli/model_arguments.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/program/cli/prune_rounds.h"
#include "twofour/train/program/cli/pruning_method.h"
#include "twofour/train/program/prune/pruned_run.h"
#include "twofour/train/program/prune/pruning_report.h"

namespace twofour::train {
namespace {

constexpr int64_t kMostIterations = 100'000, kMostSteps = 1'000'000'000;

nn::PruningOrder OrderOf(const std::string& name, const nn::OneShotOptions& options) {
  if (name.empty()) return nn::UsualOrder(options.method);
  if (const auto order = nn::OrderNamed(name)) return *order;
  throw Error(fmt::format("--order: '{}', expected one-pass or layer-by-layer", name));
}

void SetAllocation(const std::string& name, AllocationRequest& request) {
  using enum AllocationRequest::Method;
  for (const AllocationRequest::Method method : {kEqual, kOutliers}) {
    if (name != NameOf(method)) continue;
    request.method = method;
    return;
  }
  if (!name.ends_with(".json")) {
    throw Error(
        fmt::format("--allocation: '{}', expected equal, owl, or the sensitivity.json of trainer sensitivity", name));
  }
  request.method = kSensitivity;
  request.sensitivity = name;
}

struct Asked {
  PruneRequest request;
  RoundsOfPruning rounds;
};

constexpr int64_t kMostRounds = 1000;

std::optional<Asked> Parse(int argc, const char* const* argv, std::ostream& out) {
  Asked asked;
  PruneRequest& request = asked.request;
  RoundsOfPruning& rounds = asked.rounds;
  std::string pattern, method, order, score, allocation = "equal";
  bool overwrite = false, skip_evaluation = false, skip_output_errors = false;
  nn::OneShotOptions& options = request.options;
  Arguments arguments("prune");
  ModelArguments model(arguments);
  model.AddCheckpoint(arguments);
  arguments.Add("--out", request.out, "The new run's folder, to be made").Type("DIR").Required();
  arguments.Add("--method", method, nn::MethodNames()).Type("NAME").Required();
  arguments
      .Add("--pattern", pattern,
           "2:4 or another n:m along rows, transposable:2:4, 64:2:8, unstructured:0.5 (with :row or :model), or "
           "block:16x16:0.5 (with :model)")
      .Type("PATTERN")
      .Required();
  const Argument given_score = arguments.Add("--score", score, "What dsnot begins with; by default wanda").Type("NAME");
  const Argument given_order = arguments
                                   .Add("--order", order,
                                        "one-pass: by the inputs that linears have in the dense model; layer-by-layer: "
                                        "by those that pruned linears give, the default for sparsegpt and alps")
                                   .Type("NAME");
  CalibrationArguments calibration(arguments, "to calibrate with");
  calibration.AddLinears(arguments);
  const Argument dampening =
      arguments
          .Add("--dampening", options.dampening, "sparsegpt, alps, obs: the share of the mean diagonal that is added")
          .Type("X")
          .ShowDefault();
  const Argument block = arguments.Add("--block", options.block, "sparsegpt: columns between two updates of the rest")
                             .Type("N")
                             .Range(int64_t{1}, kMaxFeatures)
                             .ShowDefault();
  const Argument iterations = arguments.Add("--iterations", options.iterations, "alps: at most so many")
                                  .Type("N")
                                  .Range(int64_t{0}, kMostIterations)
                                  .ShowDefault();
  arguments
      .Add("--allocation", allocation,
           "equal: all linears alike; owl: those with fewer outliers among their Wanda scores are sparser; or the "
           "sensitivity.json of trainer sensitivity: those whose pruning costs less")
      .Type("NAME|FILE")
      .ShowDefault();
  arguments
      .Add("--target", request.allocation.target,
           "Sparsity of all linears together, for n:m, whose linears then differ in n; by default the pattern's")
      .Type("X")
      .Range(0.0, 1.0);
  const Argument min = arguments.Add("--min-sparsity", request.allocation.min, "owl or FILE: of each linear")
                           .Type("X")
                           .Range(0.0, 1.0)
                           .ShowDefault();
  const Argument max = arguments.Add("--max-sparsity", request.allocation.max, "owl or FILE: of each linear")
                           .Type("X")
                           .Range(0.0, 1.0)
                           .ShowDefault();
  const Argument lambda = arguments
                              .Add("--lambda", request.allocation.lambda,
                                   "owl: half of the difference between the sparsest and the least sparse linear")
                              .Type("X")
                              .Range(0.0, 1.0)
                              .ShowDefault();
  arguments
      .Add("--rounds", rounds.count,
           "Prune more and more in so many rounds, with training after each of them; --out becomes a run like those of "
           "trainer --config")
      .Type("N")
      .Range(int64_t{1}, kMostRounds)
      .ShowDefault();
  arguments.Add("--round-steps", rounds.steps, "Optimizer steps after each round; with one round, 0 trains nothing")
      .Type("N")
      .Range(int64_t{0}, kMostSteps)
      .ShowDefault();
  arguments
      .Add("--lr", rounds.lr,
           "The highest learning rate of these steps, from where it falls in a straight line to 0; by default a "
           "tenth of the run's")
      .Type("X");
  arguments.AddFlag("--skip-evaluation", skip_evaluation, "Do not find the losses before and after");
  arguments.AddFlag("--skip-output-errors", skip_output_errors,
                    "Do not find how much outputs change, which takes time and memory for the squares of layers' "
                    "inputs");
  arguments.AddFlag("--overwrite", overwrite, "Replace an existing run in the folder");
  if (!arguments.Parse(argc, argv, 1, out)) return std::nullopt;
  request.run = model.run();
  request.checkpoint = model.checkpoint();
  request.threads = model.threads();
  request.activations = model.activations();
  SetPruningMethod(method, options);
  using enum nn::PruningMethod;
  RequireGoesWith(given_score, options.method == kDsnot, "--score", "--method dsnot");
  if (given_score.given()) {
    const auto named = nn::ScoreNamed(score);
    if (!named) throw Error(fmt::format("--score: '{}', expected one of {}", score, nn::ScoreNames()));
    options.score = *named;
  }
  options.pattern = sparse::ParsePruningPattern(pattern, "--pattern");
  options.order = OrderOf(order, options);
  SetAllocation(allocation, request.allocation);
  const AllocationRequest::Method allocates = request.allocation.method;
  RequireGoesWith(lambda, allocates == AllocationRequest::Method::kOutliers, "--lambda", "--allocation owl");
  for (const auto& [bound, name] : {std::pair(&min, "--min-sparsity"), {&max, "--max-sparsity"}}) {
    RequireGoesWith(*bound, allocates != AllocationRequest::Method::kEqual, name,
                    "--allocation owl or a sensitivity.json");
  }
  RequireGoesWith(block, options.method == kSparseGpt, "--block", "--method sparsegpt");
  RequireGoesWith(iterations, options.method == kAlps, "--iterations", "--method alps");
  RequireGoesWith(dampening, nn::NeedsOf(options).gram, "--dampening", "--method sparsegpt, alps or obs");
  options.output_errors = !skip_output_errors;
  RequireGoesWith(given_order, nn::NeedsOf(options).inputs || options.output_errors, "--order",
                  "a --method that takes inputs, or output errors");
  request.linears = calibration.linears();
  request.samples = calibration.samples();
  request.or_all_samples = calibration.or_all();
  request.seed = calibration.seed();
  request.accept_changed_data = calibration.accept_changed_data();
  request.evaluate = !skip_evaluation;
  constexpr char kSamplers[] = "a --method that takes data, --allocation owl or output errors";
  calibration.RequireUsed(TakesData(request), TakesSeed(request), kSamplers);
  const bool reads_data = TakesData(request) || request.evaluate;
  if (request.activations && !reads_data) throw GoesWith("--precision", "losses, or with what takes data");
  if (request.accept_changed_data && !reads_data) {
    throw GoesWith("--accept-changed-data", "losses, or with what takes data");
  }
  if (overwrite) request.if_exists = RunFolder::IfExists::kOverwrite;
  if (rounds.count > 1 && rounds.steps == 0) {
    throw Error(fmt::format("--round-steps: 0, expected at least 1 for {} rounds", rounds.count));
  }
  const int64_t most = sparse::MostRounds(options.pattern);
  if (rounds.count > most) {
    throw Error(fmt::format("--rounds: {}, expected at most {} for {}", rounds.count, most, pattern));
  }
  if (rounds.lr && !(*rounds.lr >= 0)) throw Error(fmt::format("--lr: {}, expected at least 0", *rounds.lr));
  if (rounds.lr && rounds.steps == 0) throw Error("--lr: goes with --round-steps");
  if (rounds.steps > 0 && (skip_evaluation || skip_output_errors)) {
    throw Error(fmt::format("{}: does not go with --round-steps",
                            skip_evaluation ? "--skip-evaluation" : "--skip-output-errors"));
  }
  return asked;
}

}  // namespace

int RunPrune(int argc, const char* const* argv, const CommandContext& context) {
  const std::optional<Asked> asked = Parse(argc, argv, context.out);
  if (!asked) return 0;
  const PruneRequest* const request = &asked->request;
  if (asked->rounds.steps > 0) return PruneInRounds(*request, asked->rounds, context);
  const std::optional<PrunedRun> pruned = PruneRun(*request, context.stop.stop);
  if (!pruned) return EndWithoutResult(context);
  PrintNotes(pruned->notes, context.err);
  context.out << ToLines(*pruned)
              << fmt::format("{}: the weights of {}, pruned, with their masks\n", request->out, request->run);
  RequireWritten(context.out);
  return 0;
}

}  // namespace twofour::train
