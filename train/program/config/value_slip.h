#pragma once

#include <google/protobuf/descriptor.h>

#include <optional>
#include <string>

namespace twofour::train {

/// Explains why a text is refused as the value of a number field although protobuf's parser accepts it: the parser
/// would read another number than the user meant, as it reads "010" as 8.
std::optional<std::string> MisreadValue(const google::protobuf::FieldDescriptor& field, const std::string& text);

/// Explains why a text is not a value of a number or bool field, in words that say what was found and what was
/// expected. nullopt if the parser's own message says as much.
std::optional<std::string> ExplainValue(const google::protobuf::FieldDescriptor& field, const std::string& text);

/// "[64, 32]" for a text of two or more numbers, or of one number in brackets. Any common separator of lists may stand
/// between numbers. nullopt for any other text.
std::optional<std::string> AsList(const std::string& text);

}  // namespace twofour::train
