#pragma once

#include <string>

#include "config.pb.h"

namespace twofour::train {

/// Applies one `--set path=value`. The path is dotted ("training.batch_size"), and the value is written as in a config
/// file. The quotes of a string may be left out. A repeated field takes a list ("[128, 64]"), which replaces the old
/// one. A message ("{ ... }") replaces the old message. Naming a member of a oneof chooses it, whatever was chosen
/// before. ApplyOverrides, for lists of assignments, does not let this happen unnoticed. Throws Error that says what is
/// wrong and where.
void ApplyOverride(proto::Config& config, const std::string& assignment);

}  // namespace twofour::train
