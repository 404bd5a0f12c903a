#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "twofour/train/program/report/run_record.h"

namespace twofour::train {

/// The runs of one experiment: their configs are the same after WithoutSeed().
struct RunGroup {
  std::string name;        ///< The configs' name.
  std::string label = {};  ///< Unique: the name, cut if it is long, with what differs from groups of that name.
  std::vector<RunRecord> runs = {};

  const proto::Config& config() const { return runs.front().config; }
  size_t finished() const;
};

/// How many runs are not finished, by what became of them: "2 failed, 1 skipped". Empty if all are finished.
std::string CountsOfOthers(const std::vector<RunGroup>& groups);

/// Groups runs. The groups are in the order of their first runs.
std::vector<RunGroup> GroupRuns(std::vector<RunRecord> runs);

/// The index of the group that has this label or, if none has, this name. 0 for an empty label. Throws Error if there
/// is no such group, or several with this name.
size_t FindGroup(const std::vector<RunGroup>& groups, const std::string& label);

}  // namespace twofour::train
