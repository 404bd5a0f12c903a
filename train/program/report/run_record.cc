#include "twofour/train/program/report/run_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/io/json.h"
#include "twofour/core/io/text.h"
#include "twofour/train/program/config/comparable_step.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/validate.h"
#include "twofour/train/run_files.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxConfigBytes = 1 << 20;
constexpr uint64_t kMaxPruningBytes = 64 << 20;
constexpr int64_t kMaxStep = int64_t{1} << 53;  // Charts compute with doubles, which are exact up to here.
constexpr size_t kMaxDetails = 32;              // Each is a column of the report.
constexpr const char* kTrainingSeconds = "training_seconds";

proto::Config LoadRunConfig(FileSystem& files, const RunFiles& run) {
  const std::string path = run.config().string();
  if (!files.Exists(run.config()))
    throw Error(fmt::format("{}: not a run's folder: no config.pbtxt", run.folder.string()));
  try {
    proto::Config config = WithDefaults(ParseTextConfig(ReadText(files, run.config(), kMaxConfigBytes), path));
    if (!config.has_name()) config.set_name(run.folder.filename().string());
    ValidateConfig(config, config);
    return config;
  } catch (const Error& error) {
    const std::string message = error.what();
    const std::string first = message.substr(0, message.find('\n'));
    throw Error(first.find(path) == std::string::npos ? fmt::format("{}: {}", path, first) : first, error.kind());
  }
}

/// Adds the lines of one metrics file to a RunRecord.
class MetricsReader {
 public:
  MetricsReader(RunRecord& run, std::string source) : run_(run), source_(std::move(source)) {}

  void Read(std::string_view text) {
    for (size_t begin = 0; begin < text.size();) {
      ++line_;
      const size_t newline = text.find('\n', begin);
      if (newline == std::string_view::npos) {
        run_.torn_line = line_;
        break;
      }
      ReadLine(text.substr(begin, newline - begin));
      begin = newline + 1;
    }
    if (final_step_ != run_.steps) {  // The run went on after that end.
      run_.model_step.reset();
      run_.stopped_early = false;
      run_.best = {};
      run_.compared_from.reset();
      run_.final_sparsity.reset();
    }
    for (auto& [name, sums] : layer_sums_) {
      Curve& means = run_.layer_means[name];
      for (const auto& [step, sum] : sums) means[step] = sum.total / static_cast<double>(sum.count);
    }
  }

 private:
  struct Sum {
    double total = 0;
    int64_t count = 0;
  };

  void ReadLine(std::string_view line) {
    const std::optional<JsonDocument> document = JsonDocument::TryParse(line);
    const std::optional<JsonValue> at = document ? document->root().Find("step") : std::nullopt;
    if (!at || !at->is_integer()) Fail("not a metrics record, expected a JSON object with a step");
    const JsonValue record = document->root();
    const int64_t step = at->integer();
    if (step < 0 || step > kMaxStep) Fail(fmt::format("step {}, expected 0 to {}", at->ToText(), kMaxStep));
    const std::optional<JsonValue> named = record.Find("split");
    if (!named || !named->is_string()) Fail("no split, expected \"train\" or another");
    const std::string& split = named->string();
    if (split == "train") {
      ReadTrain(step, record);
    } else if (split == "eval") {
      ReadEval(step, record);
    } else if (split == "sparsity") {
      for (const auto& [name, value] : record.members()) {
        if (name != "step" && name != "split" && name != "layer") AddToMean(std::string(name), step, name, record);
      }
    } else if (split == "activation") {
      AddToMean("hidden_density", step, "density", record);
    } else if (split == "resumed") {
      ReadChanges(step, record);
    } else if (split == "final") {
      ReadFinal(step, record);
    } else {
      return;
    }
    run_.steps = std::max(run_.steps, step);
  }

  void ReadTrain(int64_t step, const JsonValue& record) {
    Put(run_.train_loss, step, "loss", record);
    for (const std::string unit : {"samples", "tokens"}) {
      if (!record.Find(unit + "_per_s")) continue;
      run_.unit = unit;
      Put(run_.units_per_s, step, unit + "_per_s", record);
    }
    ReadSeconds(step, record);
  }

  void ReadEval(int64_t step, const JsonValue& record) {
    Put(run_.eval_loss, step, "loss", record);
    for (const auto& [name, value] : record.members()) {
      if (name == "step" || name == "split" || name == "loss" || name == kTrainingSeconds) continue;
      Put(run_.eval_details[std::string(name)], step, name, record);
      if (run_.eval_details.size() > kMaxDetails) Fail(fmt::format("more than {} kinds of evaluation", kMaxDetails));
    }
    ReadSeconds(step, record);
  }

  void ReadSeconds(int64_t step, const JsonValue& record) {
    if (!record.Find(kTrainingSeconds)) return;
    const double seconds = Number(kTrainingSeconds, record);
    if (seconds < 0) Fail(fmt::format("{} {}, expected at least 0", kTrainingSeconds, seconds));
    Put(run_.training_seconds, step, kTrainingSeconds, record);
  }

  void ReadChanges(int64_t step, const JsonValue& record) {
    const std::optional<JsonValue> changes = record.Find("changes");
    if (!changes || !changes->is_array()) Fail("no changes, expected an array of texts");
    for (const JsonValue& change : changes->elements()) {
      if (!change.is_string()) Fail("a change that is no text");
      run_.changes[step].push_back(change.string());
    }
  }

  void ReadFinal(int64_t at, const JsonValue& record) {
    const std::optional<JsonValue> step = record.Find("model_step"), early = record.Find("stopped_early");
    if (!step || !step->is_integer()) Fail("no model_step, expected a step");
    const int64_t model_step = step->integer();
    if (model_step < 0 || model_step > kMaxStep)
      Fail(fmt::format("model_step {}, expected 0 to {}", step->ToText(), kMaxStep));
    if (!early || !early->is_boolean()) Fail("no stopped_early, expected true or false");
    final_step_ = at;
    run_.model_step = model_step;
    run_.stopped_early = early->boolean();
    run_.best = {};
    run_.final_sparsity.reset();
    const std::optional<JsonValue> best = record.Find("best_step");
    if (best && best->is_integer() && best->integer() > 0 && best->integer() <= at) {
      run_.best = {best->integer(), Number("best_loss", record)};
    }
    const std::optional<JsonValue> from = record.Find("compared_from");
    run_.compared_from = from && from->is_integer() && from->integer() >= 0 && from->integer() <= at
                             ? std::optional(from->integer())
                             : std::nullopt;
    if (record.Find("sparsity")) run_.final_sparsity = Number("sparsity", record);
  }

  void AddToMean(const std::string& mean, int64_t step, std::string_view key, const JsonValue& record) {
    const double value = Number(key, record);
    if (!std::isfinite(value)) return;
    Sum& sum = layer_sums_[mean][step];
    sum.total += value;
    ++sum.count;
    if (layer_sums_.size() > kMaxDetails) Fail(fmt::format("more than {} kinds of numbers", kMaxDetails));
  }

  void Put(Curve& curve, int64_t step, std::string_view key, const JsonValue& record) {
    const double value = Number(key, record);
    if (std::isfinite(value)) curve[step] = value;  // The later of two records of a step counts.
  }

  /// NaN for null, which stands for a number that is not finite.
  double Number(std::string_view key, const JsonValue& record) {
    const std::optional<JsonValue> found = record.Find(key);
    if (!found) Fail(fmt::format("no {}, expected a number", key));
    if (found->is_null()) return std::nan("");
    if (!found->is_number()) Fail(fmt::format("{} is no number", JsonStringInAscii(key.substr(0, 40))));
    return found->number();
  }

  [[noreturn]] void Fail(const std::string& what) const { throw Error(fmt::format("{}:{}: {}", source_, line_, what)); }

  RunRecord& run_;
  std::string source_;
  int64_t line_ = 0;
  int64_t final_step_ = -1;  // The step of the last "final" record.
  std::map<std::string, std::map<int64_t, Sum>> layer_sums_;
};

/// Of a run that was pruned before and while it trained: the loss after pruning is that of step 0, if all was pruned
/// then.
PruningRecord RecordOfRounds(const RunRecord& run) {
  const proto::OneShot& one_shot = run.config.one_shot();
  PruningRecord record{.method = one_shot.method(), .pattern = run.config.sparsity().pattern()};
  if (one_shot.rounds() > 1) record.method += fmt::format(", {} rounds", one_shot.rounds());
  record.sparsity = run.final_sparsity;
  const auto first = run.eval_loss.find(0);
  if (one_shot.rounds() == 1 && first != run.eval_loss.end()) record.loss_after = first->second;
  return record;
}

}  // namespace

int64_t FirstComparedStep(const RunRecord& run) {
  if (run.compared_from) return *run.compared_from;
  int64_t first = FirstComparableStep(run.config);
  const bool depends_on_steps = first > 0;
  for (const auto& [step, changes] : run.changes) {
    const bool other = std::ranges::any_of(changes, [=](const std::string& change) {
      return ChangesSparsity(change) || change.starts_with("finetune.") ||
             (depends_on_steps && change.starts_with("training.steps:"));
    });
    if (other) first = std::max(first, step + 1);
  }
  return std::min(first, run.config.training().steps());
}

void ReadMetrics(std::string_view text, const std::string& source, RunRecord& run) {
  MetricsReader(run, source).Read(text);
}

RunRecord LoadRun(FileSystem& files, const fs::path& folder) {
  const RunFiles paths{folder};
  RunRecord run{.folder = folder, .config = LoadRunConfig(files, paths)};
  run.finished = files.Exists(paths.model());
  const auto read = [&files](const fs::path& path, auto parse) {
    return parse(ReadOwnText(files, path, kMaxPruningBytes), path.string());
  };
  if (files.Exists(paths.pruning())) {
    run.pruning = read(paths.pruning(), ParsePruningRecord);
  } else if (files.Exists(paths.shrinking())) {
    run.pruning = read(paths.shrinking(), ParseShrinkRecord);
  } else if (files.Exists(paths.quantization())) {
    run.pruning = read(paths.quantization(), ParseQuantizationRecord);
  }
  if (files.Exists(paths.metrics())) {
    ReadMetrics(ReadOwnText(files, paths.metrics(), kMaxReportMetricsBytes), paths.metrics().string(), run);
  }
  if (run.config.has_one_shot()) run.pruning = RecordOfRounds(run);
  return run;
}

RunRecord LoadPlannedRun(FileSystem& files, const fs::path& folder, const PlannedRunRecord& planned) {
  RunRecord run{.folder = folder, .config = planned.config, .outcome = planned.outcome, .reason = planned.reason};
  if (!files.Exists(RunFiles{folder}.config())) {
    if (planned.outcome != RunOutcome::kFinished) return run;
    run.outcome = RunOutcome::kUnfinished;
    run.reason = "it was finished, and its folder is gone";
    return run;
  }
  try {
    run = LoadRun(files, folder);
    run.outcome = planned.outcome;
    run.reason = planned.reason;
  } catch (const Error& error) {
    run.outcome = RunOutcome::kUnfinished;
    run.reason = fmt::format("it cannot be read: {}", error.what());
    return run;
  }
  if (run.finished) {
    run.outcome = RunOutcome::kFinished;
    run.reason.clear();
  } else if (run.outcome == RunOutcome::kFinished) {
    run.outcome = RunOutcome::kUnfinished;
    run.reason = "it was finished, and its model.safetensors is gone";
  }
  return run;
}

}  // namespace twofour::train
