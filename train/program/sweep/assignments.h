#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "config.pb.h"

namespace twofour::train {

/// How many of the assignments of a sweep's run are from where, in this order; the others are from its axes.
struct AssignmentSources {
  size_t file = 0;          ///< For every run, in the sweep file.
  size_t command_line = 0;  ///< For every run, and stronger than those.
};

/// The assignments of one run as the command line takes them. What a variant or the command line says is stronger than
/// what the file says for every run; an assignment of which nothing is left that way is dropped where the command line
/// would refuse it. Throws Error that names both where one assignment undoes another in any other way: the run would
/// not be what it is called.
std::vector<std::string> SettleAssignments(const proto::Config& base, const std::vector<std::string>& set,
                                           const AssignmentSources& sources);

}  // namespace twofour::train
