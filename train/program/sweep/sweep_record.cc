#include "twofour/train/program/sweep/sweep_record.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/io/json.h"
#include "twofour/core/io/json_fields.h"
#include "twofour/core/io/text.h"
#include "twofour/train/program/config/prefix_lines.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/sweep/sweep_config.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxBytes = 16 << 20;

/// Whether a path stays below the folder that it is relative to.
bool StaysBelow(const fs::path& path) {
  if (!path.has_filename() || path.is_absolute()) return false;
  if (path.lexically_normal().native() != path.native()) return false;  // == on paths ignores their slashes.
  return *path.begin() != ".." && path != ".";
}

RecordedRun ParseRun(const JsonValue& json, const std::string& where) {
  const JsonFields fields(json, where);
  RecordedRun run{.variant = fields.Text("variant"), .seed = fields.Count("seed"), .folder = fields.Text("folder")};
  const bool has_zero = run.folder.native().find('\0') != std::string::npos;
  if (has_zero || !StaysBelow(run.folder)) fields.Fail("folder: expected a path within the sweep's folder");
  run.set = fields.Texts("set");
  const std::string state = fields.Text("state");
  const std::optional<RunOutcome> outcome = OutcomeNamed(state);
  if (!outcome) fields.Fail("state: expected finished, failed or another that is known");
  run.outcome = *outcome;
  run.reason = fields.Text("reason");
  return run;
}

/// Whether this stays the outcome of a run until it is started again.
bool Lasts(RunOutcome outcome) {
  return outcome == RunOutcome::kFailed || outcome == RunOutcome::kTimedOut || outcome == RunOutcome::kInterrupted;
}

}  // namespace

SweepRecord BeginRecord(const SweepPlan& plan, const std::vector<RunState>& states,
                        const std::optional<SweepRecord>& before) {
  std::map<fs::path, const RecordedRun*> earlier;
  if (before) {
    for (const RecordedRun& run : before->runs) earlier[run.folder] = &run;
  }
  SweepRecord record{plan.name, plan.baseline, ToText(plan.base_config), {}};
  for (size_t i = 0; i < plan.runs.size(); ++i) {
    const PlannedRun& planned = plan.runs[i];
    RecordedRun run{planned.variant, planned.seed, planned.folder.lexically_relative(plan.folder), planned.set};
    const auto found = earlier.find(run.folder);
    if (states[i] == RunState::kFinished) {
      run.outcome = RunOutcome::kFinished;
    } else if (found != earlier.end() && Lasts(found->second->outcome)) {
      run.outcome = found->second->outcome;
      run.reason = found->second->reason;
    } else if (states[i] == RunState::kInterrupted) {
      run.outcome = RunOutcome::kInterrupted;
    }
    record.runs.push_back(std::move(run));
  }
  return record;
}

std::string ToJson(const SweepRecord& record) {
  std::vector<JsonObject> runs;
  for (const RecordedRun& run : record.runs) {
    JsonObject& json = runs.emplace_back();
    json.Set("variant", run.variant).Set("seed", run.seed).Set("folder", run.folder.string());
    json.Set("state", NameOf(run.outcome)).Set("reason", run.reason).Set("set", run.set);
  }
  JsonObject json;
  json.Set("name", record.name).Set("baseline", record.baseline).Set("base", record.base_config).Set("runs", runs);
  return json.ToTextReplacing(/*indent=*/1) + "\n";
}

SweepRecord ParseSweepRecord(const std::string& text, const std::string& source) {
  const std::optional<JsonDocument> document = JsonDocument::TryParse(text);
  if (!document) throw Error(fmt::format("{}: expected an object", source));
  const JsonFields fields(document->root(), source);
  SweepRecord record{fields.Text("name"), fields.Text("baseline"), fields.Text("base"), {}};
  const std::vector<JsonValue> runs = fields.List("runs");
  if (runs.size() > static_cast<size_t>(kMaxSweepRuns)) {
    fields.Fail(fmt::format("{} runs, expected at most {}", runs.size(), kMaxSweepRuns));
  }
  std::set<fs::path> folders;
  for (size_t i = 0; i < runs.size(); ++i) {
    const std::string where = fmt::format("{}: run {}", source, i + 1);
    record.runs.push_back(ParseRun(runs[i], where));
    if (!folders.insert(record.runs.back().folder).second) throw Error(where + ": its folder is another run's");
  }
  return record;
}

std::optional<SweepRecord> LoadSweepRecord(FileSystem& files, const fs::path& folder) {
  const fs::path path = folder / kSweepRecordFile;
  if (!files.Exists(path)) return std::nullopt;
  return ParseSweepRecord(ReadOwnText(files, path, kMaxBytes), path.string());
}

std::vector<proto::Config> ConfigsOf(const SweepRecord& record) {
  const proto::Config base = ParseTextConfig(record.base_config, "base");
  std::vector<proto::Config> configs;
  for (const RecordedRun& run : record.runs) {
    try {
      configs.push_back(ConfigOfRun(base, run.set, run.seed, /*threads=*/0));
    } catch (const Error& error) {
      throw Error(PrefixLines(run.folder.string(), error.what()));
    }
  }
  return configs;
}

}  // namespace twofour::train
