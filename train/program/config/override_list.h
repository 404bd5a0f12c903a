#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "config.pb.h"

namespace twofour::train {

/// Says that a later assignment of a list has undone an earlier one, for one field that the earlier one set.
struct UndoneOverride {
  enum class How {
    kReplaced,  ///< The later assignment gives the same field another value.
    kSwitched,  ///< The later assignment chooses another alternative of a oneof, which discards the field.
    kWiped,     ///< The later assignment replaces a whole message and does not mention the field.
  };
  size_t earlier = 0, later = 0;
  How how = How::kReplaced;
  std::string field;  ///< The field's dotted path.
};

/// The result of applying a list of assignments.
struct OverrideTrace {
  std::vector<UndoneOverride> undone;
  std::vector<bool> holds;  ///< For each assignment, whether anything that it set is left.
};

/// Applies assignments in order, each as ApplyOverride does, and returns which of them were undone. An assignment to a
/// field of an alternative does not choose that alternative. If the config has another one, throws Error that names the
/// alternative that the config has, or the earlier assignment that chose it, and how to change over on purpose. Nothing
/// is changed then.
OverrideTrace TraceOverrides(proto::Config& config, const std::vector<std::string>& assignments);

/// Applies the assignments of a command line. Of two assignments to the same field, the last one wins. Throws Error
/// that names both assignments if one undoes another in a less obvious way (kSwitched, kWiped).
void ApplyOverrides(proto::Config& config, const std::vector<std::string>& assignments);

/// A command-line option and the assignment that does the same: "--seed 3" and "seed=3".
struct OptionOverride {
  std::string option, assignment;
};

/// Notes for the user on assignments that ApplyOverrides accepts and on options that are applied after them: one line
/// for each that a later one replaces.
std::vector<std::string> NoteOverrides(const std::vector<std::string>& assignments,
                                       const std::vector<OptionOverride>& options = {});

}  // namespace twofour::train
