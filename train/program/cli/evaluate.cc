#include "twofour/train/program/cli/evaluate.h"

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <ostream>
#include <string>
#include <utility>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/train/classification.h"
#include "twofour/train/finite_check.h"
#include "twofour/train/parallel/agreement.h"
#include "twofour/train/parallel/evaluation_shares.h"
#include "twofour/train/program/cli/arguments.h"
#include "twofour/train/program/cli/evaluation_report.h"
#include "twofour/train/program/cli/model_arguments.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/program/config/trained_run.h"
#include "twofour/train/program/config/workload.h"
#include "twofour/train/program/start/rank_start.h"
#include "twofour/train/program/start/run_data.h"
#include "twofour/train/program/start/start_computing.h"
#include "twofour/train/regression.h"

namespace twofour::train {
namespace {

struct Request {
  std::string run;
  std::optional<std::string> checkpoint;
  OtherFiles other;  // Not used if it names no file.
  bool accept_changed_data = false;
  bool json = false;
  std::optional<int> threads;
  std::optional<DType> activations;  // Nothing: as in training.
};

std::optional<Request> Parse(int argc, const char* const* argv, std::ostream& out) {
  Request request;
  Arguments arguments("evaluate");
  ModelArguments model(arguments);
  model.AddCheckpoint(arguments);
  const Argument data =
      arguments.Add("--data", request.other.data, "All of this file, in place of the run's evaluation data")
          .Type("FILE");
  const Argument labels =
      arguments.Add("--labels", request.other.labels, "The labels that go with images").Type("FILE");
  arguments.AddFlag("--ignore-extra", request.other.ignore_extra,
                    "Leave out columns of the file that the model was not made with");
  arguments.AddFlag("--unknown-as-missing", request.other.unknown_as_missing,
                    "Take words that the model was not made with for missing ones");
  arguments
      .AddFlag("--accept-changed-data", request.accept_changed_data,
               "Evaluate on the run's data although it is not what the run began with")
      .Excludes(data);
  arguments.AddFlag("--json", request.json, "Print one JSON object");
  if (!arguments.Parse(argc, argv, 1, out)) return std::nullopt;
  request.run = model.run();
  request.checkpoint = model.checkpoint();
  request.threads = model.threads();
  request.activations = model.activations();
  if (labels.given() && !data.given()) throw Error("--labels: goes with --data, the file of the images");
  if (request.other.ignore_extra && !data.given()) throw Error("--ignore-extra: goes with --data, the table");
  if (request.other.unknown_as_missing && !data.given()) {
    throw Error("--unknown-as-missing: goes with --data, the table");
  }
  return request;
}

DataRecord RecordOf(const TrainedRun& run) {
  const RunFiles paths{run.path.folder};
  std::optional<DataRecord> record = LoadDataRecord(FileSystem::Default(), paths);
  if (!record) throw Error(fmt::format("{}: is missing, expected what the model was made with", paths.data().string()));
  return std::move(*record);
}

Workload LoadData(const TrainedRun& run, const Request& request, std::ostream& err) {
  if (!request.other.data.empty()) {
    Workload workload = BuildEvaluation(run.config, RecordOf(run), request.other);
    PrintNotes(workload.notes, err);
    return workload;
  }
  RunData data = LoadRunData({run.path.folder, run.config}, run.config, request.accept_changed_data);
  PrintNotes(data.notes, err);
  return std::move(data.workload);
}

std::string DescribeData(const proto::Config& config, const Workload& workload, const Request& request) {
  const int64_t batches = config.evaluation().max_batches();
  if (batches == 0 || !request.other.data.empty()) return workload.data_description;
  return fmt::format("{} (evaluation.max_batches: {})", workload.data_description, batches);
}

}  // namespace

int RunEvaluate(int argc, const char* const* argv, const CommandContext& context) {
  std::optional<Request> request;
  std::optional<TrainedRun> loaded;
  Workload workload;
  Together(context.ranks, [&] {
    request = Parse(argc, argv, context.out);
    if (!request) return;
    loaded.emplace(LoadTrainedRun(request->run, request->checkpoint));
    StartComputing(request->threads ? *request->threads : ThreadsFor(loaded->config, context));
    workload = LoadData(*loaded, *request, context.err);
    GiveWeights(*loaded, *workload.model, request->activations);
  });
  if (!request) return 0;
  const TrainedRun& run = *loaded;
  RequireSameParts(context.ranks, PartsOf(run.config, workload.data_record, *workload.model));
  const NoGradGuard no_grad;
  RankShares shares(context.ranks);
  EvaluationShares* const shared = context.ranks.size() > 1 ? &shares : nullptr;
  std::optional<EvalMetrics> metrics = workload.task->EvaluateUnless(&context.stop.stop, shared);
  if (!metrics) {
    EndWithoutResult(context);
    return CodeOfStop(context);
  }
  Together(context.ranks, [&] {
    if (std::isfinite(metrics->loss)) return;
    ThrowNotFinite("the evaluation loss", metrics->loss, workload.model->NamedParameters());
  });
  EvaluationReport report{.weights = run.source.string(),
                          .step = run.step,
                          .data = DescribeData(run.config, workload, *request),
                          .unit = std::string(workload.task->unit()),
                          .metrics = std::move(*metrics)};
  if (const auto* const task = dynamic_cast<const ClassificationTask*>(workload.task.get())) {
    report.confusion = task->confusion();
    report.class_names = workload.samples.class_names;
  }
  if (const auto* const task = dynamic_cast<const RegressionTask*>(workload.task.get())) {
    report.errors = task->errors();
    report.target_names = workload.samples.table->TargetNames();
  }
  Together(context.ranks, [&] {
    if (context.ranks.rank() != 0) return;
    context.out << (request->json ? ToJson(report) : ToLines(report));
    RequireWritten(context.out);
  });
  return 0;
}

}  // namespace twofour::train
