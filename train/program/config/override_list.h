#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "config.pb.h"

namespace twofour::train {

/// One assignment of a list, and a later one after which it no longer holds, for one of the fields that it set.
struct UndoneOverride {
  enum class How {
    kReplaced,  ///< The later one gives the same field another value.
    kSwitched,  ///< The later one chooses another alternative of a oneof, whose fields are those of the first no more.
    kWiped,     ///< The later one replaces a whole message and says nothing of the field.
  };
  size_t earlier = 0, later = 0;
  How how = How::kReplaced;
  std::string field;  ///< Its path.
};

/// What came of a list of assignments.
struct OverrideTrace {
  std::vector<UndoneOverride> undone;
  std::vector<bool> holds;  ///< For each assignment, whether anything of what it set is left.
};

/// Applies assignments in order, each as ApplyOverride does, and tells which were undone. A field of an alternative
/// that is not chosen does not choose it: throws Error that names the alternative that the config has, or the earlier
/// assignment that chose it, and how to change over on purpose. Nothing is changed then.
OverrideTrace TraceOverrides(proto::Config& config, const std::vector<std::string>& assignments);

/// Applies the list of a command line. Of two assignments of one field the last one wins; throws Error that names both
/// where one undoes another in a way that does not show.
void ApplyOverrides(proto::Config& config, const std::vector<std::string>& assignments);

/// An option that does what an assignment does: "--seed 3" and "seed=3".
struct OptionOverride {
  std::string option, assignment;
};

/// What to tell of a list that ApplyOverrides takes, and of options that come after it: a line for each assignment that
/// a later one replaces.
std::vector<std::string> NoteOverrides(const std::vector<std::string>& assignments,
                                       const std::vector<OptionOverride>& options = {});

}  // namespace twofour::train
