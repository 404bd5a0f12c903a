#pragma once

#include <string>

#include "config.pb.h"

namespace twofour::train {

/// Applies one `--set path=value`: the path is dotted ("training.batch_size"), the value as in a config file; the
/// quotes of a string may be left out, and a repeated field takes a list, "[128, 64]". A repeated field is replaced,
/// not appended to; a message ("{ ... }") as well. Naming a member of a oneof chooses it, whatever was chosen before:
/// lists of assignments are for ApplyOverrides, which does not let this happen unnoticed. Throws Error that says what
/// was wrong and where.
void ApplyOverride(proto::Config& config, const std::string& assignment);

}  // namespace twofour::train
