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

}  // namespace twofour::test
