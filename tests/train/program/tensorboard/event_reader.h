#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour::test {

/// What read_events.py, which shares nothing with the writer, finds in an event file.
struct EventFileContent {
  std::vector<nlohmann::json> events;  ///< All before the first fault.
  std::string fault;                   ///< Empty: the file is sound.

  /// The values of a tag ("simple_value" or "histo") by step, in the file's order.
  std::vector<std::pair<int64_t, nlohmann::json>> Find(const std::string& tag) const {
    std::vector<std::pair<int64_t, nlohmann::json>> found;
    for (const nlohmann::json& event : events) {
      if (!event.contains("summary")) continue;
      for (const nlohmann::json& value : event["summary"]["value"]) {
        if (value["tag"] != tag) continue;
        found.emplace_back(event.value("step", int64_t{0}),
                           value.contains("histo") ? value["histo"] : value["simple_value"]);
      }
    }
    return found;
  }
};

inline bool HavePython() {
  static const bool have = std::system("python3 -c 'import json, struct' >/dev/null 2>&1") == 0;
  return have;
}

inline EventFileContent ReadEventFile(const std::filesystem::path& path) {
  const TempDir dir;
  const std::string command =
      fmt::format("python3 '{}/tests/train/program/tensorboard/read_events.py' '{}' >'{}' 2>'{}'", TWOFOUR_SOURCE_DIR,
                  path.string(), (dir / "out").string(), (dir / "err").string());
  const int status = std::system(command.c_str());
  EventFileContent content{{}, ReadTextFile(dir / "err")};
  if ((status != 0) == content.fault.empty()) content.fault += fmt::format("exit status {}", status);
  std::istringstream lines(ReadTextFile(dir / "out"));
  for (std::string line; std::getline(lines, line);) content.events.push_back(nlohmann::json::parse(line));
  return content;
}

/// The event files in a folder, in TensorBoard's order.
inline std::vector<std::filesystem::path> EventFilesIn(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().filename().string().find("tfevents") != std::string::npos) found.push_back(entry.path());
  }
  std::ranges::sort(found);
  return found;
}

}  // namespace twofour::test
