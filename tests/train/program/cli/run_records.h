#pragma once

#include <filesystem>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/text_file.h"

namespace twofour::test {

/// The records of a run's metrics.jsonl, in order, or only those of `split` if it is given.
inline std::vector<nlohmann::json> RecordsOf(const std::filesystem::path& run, const std::string& split = "") {
  std::vector<nlohmann::json> records;
  std::istringstream lines(ReadTextFile(run / "metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    auto record = nlohmann::json::parse(line);
    if (split.empty() || record["split"] == split) records.push_back(std::move(record));
  }
  return records;
}

/// The same without the time that training took, which differs from run to run.
inline std::vector<nlohmann::json> RecordsWithoutTime(const std::filesystem::path& run, const std::string& split = "") {
  std::vector<nlohmann::json> records = RecordsOf(run, split);
  for (nlohmann::json& record : records) record.erase("training_seconds");
  return records;
}

/// The state of a run's last checkpoint, without the time that training took.
inline nlohmann::json StateWithoutTime(const std::filesystem::path& run) {
  auto state = nlohmann::json::parse(ReadTextFile(run / "checkpoints/last/trainer.json"));
  state.erase("training_seconds");
  return state;
}

}  // namespace twofour::test
