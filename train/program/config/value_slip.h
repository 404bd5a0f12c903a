#pragma once

#include <google/protobuf/descriptor.h>

#include <optional>
#include <string>

namespace twofour::train {

/// Why a text is no value of a field of numbers although protobuf's parser takes it, for another one than was
/// meant: "010" is 8 to it.
std::optional<std::string> MisreadValue(const google::protobuf::FieldDescriptor& field, const std::string& text);

/// What is wrong with a text that is no value of a field of numbers or booleans, in words that name what was found and
/// what was expected. Nothing where the parser's own words tell as much.
std::optional<std::string> ExplainValue(const google::protobuf::FieldDescriptor& field, const std::string& text);

/// "[64, 32]" for a text of at least two numbers, or of one in brackets, with anything between that separates lists
/// somewhere; nothing for any other.
std::optional<std::string> AsList(const std::string& text);

}  // namespace twofour::train
