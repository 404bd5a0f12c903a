#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "config.pb.h"

namespace twofour::train {

/// Where the assignments of a sweep's run come from: first so many from the file, then so many from the command line,
/// and all others from its axes.
struct AssignmentSources {
  size_t file = 0;          ///< Set by the sweep file for every run.
  size_t command_line = 0;  ///< Set by the command line for every run; overrides the file.
};

/// The assignments of one run in a form that the command line takes. Variants and the command line override what the
/// file sets for every run. If the command line would refuse such a list, assignments that are overridden entirely are
/// dropped. Throws Error that names both assignments if one undoes another in any other way, because the run would then
/// not be what its name says.
std::vector<std::string> SettleAssignments(const proto::Config& base, const std::vector<std::string>& set,
                                           const AssignmentSources& sources);

}  // namespace twofour::train
