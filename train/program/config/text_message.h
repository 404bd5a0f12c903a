#pragma once

#include <google/protobuf/message.h>

#include <string>

namespace twofour::train {

/// Parses protobuf text into a message of any type. `name` names the text in error messages. Throws Error with a line
/// "name:line:column: what" for every unknown field, with the nearest known name, and one for the first thing that does
/// not parse. Ignores a byte-order mark at the beginning, and accepts the line ends of all systems.
void ParseTextMessage(const std::string& text, const std::string& name, google::protobuf::Message& message);

/// Reads and parses a file of at most 1 MiB.
void LoadTextMessage(const std::string& path, google::protobuf::Message& message);

}  // namespace twofour::train
