#pragma once

#include <string>

#include "config.pb.h"

namespace twofour::train {

/// Parses a config in protobuf text format. Throws Error as ParseTextMessage does.
proto::Config ParseTextConfig(const std::string& text, const std::string& source);

/// Reads and parses a config file of at most 1 MiB. The run's name defaults to the file's stem. Also throws Error if
/// the file sets nothing.
proto::Config LoadTextConfig(const std::string& path);

/// A copy in which every field that is not set and has a default is set to it, so that the config shows all that the
/// run will do. Alternatives of a oneof that are not chosen are not added.
proto::Config WithDefaults(const proto::Config& config);

/// The config as text that ParseTextConfig can read.
std::string ToText(const proto::Config& config);

}  // namespace twofour::train
