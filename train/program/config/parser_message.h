#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <string_view>

namespace twofour::train {

/// Rewrites an error message of protobuf's text parser in words that say what was found and what was expected. `root`
/// is the type of the whole text, and `at` is the rest of the line from where the parser stood. Returns messages that
/// it does not know unchanged.
std::string InPlainWords(const std::string& message, const google::protobuf::Descriptor& root, std::string_view at);

}  // namespace twofour::train
