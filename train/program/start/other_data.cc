#include "twofour/train/program/start/other_data.h"

#include <fmt/format.h>

#include <filesystem>
#include <ostream>
#include <system_error>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/train/checkpoint.h"
#include "twofour/train/data_difference.h"
#include "twofour/train/run_files.h"
#include "twofour/train/run_path.h"

namespace twofour::train {

namespace fs = std::filesystem;

std::optional<std::string> WarningOfOtherData(const std::string& path, const DataRecord& now, bool expects_same) {
  FileSystem& files = FileSystem::Default();
  std::error_code ignored;
  const fs::path folder = fs::weakly_canonical(path, ignored).parent_path();
  try {
    std::optional<fs::path> run = folder;
    if (files.Exists(folder / CheckpointStore::kStateFile)) {
      const fs::path given = fs::path(path).parent_path();
      run = RunOfCheckpoint(files, files.Exists(given / CheckpointStore::kStateFile) ? given : folder);
    }
    if (!run) return std::nullopt;
    const std::optional<DataRecord> then = LoadDataRecord(files, {*run});
    if (!then) return std::nullopt;
    std::vector<DataDifference> differences = CompareData(*then, now);
    if (!expects_same) differences = OfMeaning(std::move(differences));
    if (differences.empty()) return std::nullopt;
    return fmt::format("{}: its run had other data: {}", path, Describe(differences));
  } catch (const Error& error) {
    return fmt::format("{}: the data of its run cannot be compared: {}", path, error.what());
  }
}

void WarnOfOtherData(const TakenFromRuns& taken, const DataRecord& now, std::ostream& err) {
  const auto warn = [&](const std::string& path, bool expects_same) {
    if (const auto warning = WarningOfOtherData(path, now, expects_same)) err << "warning: " << *warning << "\n";
  };
  if (!taken.weights.empty()) warn(taken.weights, taken.expects_same_data);
  if (fs::path(taken.config).filename() == RunFiles{}.config()) warn(taken.config, true);
}

}  // namespace twofour::train
