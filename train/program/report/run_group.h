#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "twofour/train/program/report/run_record.h"

namespace twofour::train {

/// The runs of one experiment: their configs are the same but for WithoutSeed.
struct RunGroup {
  std::string name;        ///< The configs' name.
  std::string label = {};  ///< The name, with what tells it apart from others of that name; no two groups share one. A
                           ///< long name is cut.
  std::vector<RunRecord> runs = {};

  const proto::Config& config() const { return runs.front().config; }
  size_t finished() const;
};

/// How many runs are not finished, by what became of them: "2 failed, 1 skipped"; empty where there are none.
std::string CountsOfOthers(const std::vector<RunGroup>& groups);

/// Groups runs, in the order in which a group's first run is listed.
std::vector<RunGroup> GroupRuns(std::vector<RunRecord> runs);

/// The index of the group that has this label, or else this name; the first for an empty one. Throws Error where there
/// is none, or more than one.
size_t FindGroup(const std::vector<RunGroup>& groups, const std::string& label);

}  // namespace twofour::train
