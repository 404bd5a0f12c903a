#pragma once

#include <string>

#include "config.pb.h"

namespace twofour::train {

/// Parses a config in protobuf text format. Strict: throws Error with a line "source:line:column: what" for the first
/// thing that does not parse, or else one for every unknown field, with the nearest known name.
proto::Config ParseTextConfig(const std::string& text, const std::string& source);

/// Reads and parses a config file of at most 1 MiB. The run's name defaults to the file's stem. Throws
/// Error when the file sets nothing, besides.
proto::Config LoadTextConfig(const std::string& path);

/// A copy in which every field that has a default carries it: what the run will do, spelled out. Messages of a oneof
/// that was not chosen stay away.
proto::Config WithDefaults(const proto::Config& config);

/// The config as text that ParseTextConfig reads back.
std::string ToText(const proto::Config& config);

}  // namespace twofour::train
