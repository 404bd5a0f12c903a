#pragma once

#include <optional>
#include <string>

#include "config.pb.h"

namespace twofour::train {

/// The first field in which two configs differ, in words, or nothing where they make the same run: threads, on which
/// no result depends, may differ.
std::optional<std::string> FirstDifference(proto::Config stored, proto::Config given);

}  // namespace twofour::train
