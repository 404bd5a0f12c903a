#pragma once

#include <google/protobuf/message.h>

#include <string>

namespace twofour::train {

/// Parses protobuf text into a message of any type. Strict: throws Error with a line "source:line:column: what" for
/// every unknown field, with the nearest known name, and one for the first thing that does not parse.
void ParseTextMessage(const std::string& text, const std::string& source, google::protobuf::Message& message);

/// Reads and parses a file of at most 1 MiB.
void LoadTextMessage(const std::string& path, google::protobuf::Message& message);

}  // namespace twofour::train
