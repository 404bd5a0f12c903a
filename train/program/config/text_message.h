#pragma once

#include <google/protobuf/message.h>

#include <string>

namespace twofour::train {

/// Parses protobuf text, which `name` stands for in messages, into a message of any type. Strict: throws Error with a
/// line "name:line:column: what" for every unknown field, with the nearest known name, and one for the first thing that
/// does not parse. A byte-order mark before the text is passed over, and lines may end as on any system.
void ParseTextMessage(const std::string& text, const std::string& name, google::protobuf::Message& message);

/// Reads and parses a file of at most 1 MiB.
void LoadTextMessage(const std::string& path, google::protobuf::Message& message);

}  // namespace twofour::train
