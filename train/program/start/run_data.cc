#include "twofour/train/program/start/run_data.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/train/data_difference.h"
#include "twofour/train/program/config/data_files.h"
#include "twofour/train/program/config/difference.h"
#include "twofour/train/run_files.h"

namespace twofour::train {
namespace {

/// The part of a config that decides which samples are drawn or held out. Everything else about the data shows in the
/// record of the loaded data.
proto::Config WhichSamples(const proto::Config& config) {
  proto::Config part;
  proto::Data& data = *part.mutable_data();
  data = config.data();
  if (data.has_csv()) {
    proto::Csv kept;
    kept.set_eval_fraction(data.csv().eval_fraction());
    kept.set_split_seed(data.csv().split_seed());
    *data.mutable_csv() = kept;
  } else if (data.has_idx()) {
    proto::Idx kept;
    kept.set_eval_fraction(data.idx().eval_fraction());
    kept.set_split_seed(data.idx().split_seed());
    *data.mutable_idx() = kept;
  } else if (data.has_text()) {
    proto::Text kept;
    kept.set_eval_fraction(data.text().eval_fraction());
    *data.mutable_text() = kept;
  } else if (data.has_tokens()) {
    proto::Tokens kept;
    kept.set_eval_fraction(data.tokens().eval_fraction());
    *data.mutable_tokens() = kept;
  }
  return part;
}

/// All differences between the data that a run began with, known from its record and config, and data that was loaded.
std::vector<DataDifference> DataDifferences(const EarlierRun& run, const proto::Config& config, const DataRecord& then,
                                            const DataRecord& now) {
  std::vector<DataDifference> differences = CompareData(then, now);
  for (const std::string& text : Differences(WhichSamples(run.stored), WhichSamples(config))) {
    differences.push_back({text});
  }
  return differences;
}

/// Loads the data by the rules by which an earlier twofour read headers and measured scales. Returns nothing if the
/// data is not what the run began with by these rules either.
std::optional<Workload> LoadByEarlierRules(const EarlierRun& run, const proto::Config& config,
                                           const std::vector<DataFile>& files, const DataRecord& then) {
  if (!config.data().has_csv()) return std::nullopt;
  try {
    Workload workload = BuildWorkloadByEarlierRules(config, files);
    if (DataDifferences(run, config, then, workload.data_record).empty()) return workload;
  } catch (const Error&) {
    // The caller says what is wrong by the rules of today.
  }
  return std::nullopt;
}

}  // namespace

RunData LoadRunData(const EarlierRun& run, const proto::Config& config, bool accept_changed_data) {
  const RunFiles paths{run.folder};
  const bool of_tokens = config.data().has_text() || config.data().has_tokens();
  if (config.has_imported_from() && of_tokens && DataPaths(config.data()).empty()) {
    throw Error(
        fmt::format("{}: the run was imported and has no data of its own, expected --data FILE", run.folder.string()));
  }
  const std::optional<DataRecord> then = LoadDataRecord(FileSystem::Default(), paths);
  const std::vector<DataFile> files = DataFingerprints().Of(config.data());
  if (!then || !then->Tells()) {
    return {BuildWorkload(config, files),
            {fmt::format("{}: says nothing of the data that the run began with, so that it cannot be checked",
                         paths.data().string())}};
  }
  if (then->made_with_earlier_data) {
    try {
      Workload workload = BuildWorkload(config, files, &*then);
      if (DataDifferences(run, config, *then, workload.data_record).empty()) return {std::move(workload), {}};
    } catch (const Error&) {
      // The code below says how the data differs.
    }
  }
  std::optional<Workload> workload;
  try {
    workload = BuildWorkload(config, files);
    const std::vector<DataDifference> differences = DataDifferences(run, config, *then, workload->data_record);
    if (differences.empty()) return {std::move(*workload), {}};
    // With another number of features, the model cannot take it.
    const bool may_go_on = then->features == workload->data_record.features;
    throw Error(fmt::format("{}: the data is not what the run began with: {}{}", paths.data().string(),
                            Describe(differences),
                            may_go_on ? "; --accept-changed-data goes on all the same, with the run's own classes, "
                                        "columns, scaling and vocabulary"
                                      : ""));
  } catch (const Error&) {
    workload.reset();  // Frees memory before the data is loaded again.
    if (std::optional<Workload> same = LoadByEarlierRules(run, config, files, *then)) {
      return {std::move(*same),
              {"the data is read as when the run began, by rules of an earlier twofour: a new run would read it in "
               "another way, or refuse it"}};
    }
    if (!accept_changed_data) throw;
  }
  workload = BuildWorkload(config, files, &*then);
  const std::vector<DataDifference> differences = DataDifferences(run, config, *then, workload->data_record);
  if (const std::vector<DataDifference> fatal = OfMeaning(differences); !fatal.empty()) {
    throw Error(fmt::format("{}: the run's model was made with other data and is wrong on this: {}",
                            paths.data().string(), Describe(fatal)));
  }
  RunData data{std::move(*workload), {}};
  if (!differences.empty()) data.notes = {fmt::format("going on with changed data: {}", Describe(differences))};
  return data;
}

}  // namespace twofour::train
