#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <string_view>

namespace twofour::train {

/// What protobuf's text parser says is wrong, in words that name what was found and what was expected. `root` is the
/// type of the whole text and `at` the rest of the line on which the parser stood. A message of another wording comes
/// back as it is.
std::string InPlainWords(const std::string& message, const google::protobuf::Descriptor& root, std::string_view at);

}  // namespace twofour::train
