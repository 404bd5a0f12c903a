#pragma once

#include <string>
#include <vector>

#include "config.pb.h"

namespace twofour::train {

/// What a valid config with all defaults asks for and its run is too short to do, a line each: --set training.steps=10
/// is a fine way to try a config out, but not all of it then happens.
std::vector<std::string> NoteConfig(const proto::Config& config);

}  // namespace twofour::train
