#pragma once

#include <string>
#include <vector>

#include "config.pb.h"

namespace twofour::train {

/// Notes on a valid config with all defaults filled in, one line each: mainly on what it asks for that does not happen
/// because the run is too short, as in a trial with --set training.steps=10.
std::vector<std::string> NoteConfig(const proto::Config& config);

}  // namespace twofour::train
