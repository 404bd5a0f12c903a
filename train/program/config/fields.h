#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>
#include <vector>

namespace twofour::train {

/// Names of a message type's fields, in the order in which the .proto file has them.
std::vector<std::string> FieldNames(const google::protobuf::Descriptor& type);

/// Whether a message type, or a message type inside it, has a field of that name that is a list of numbers.
bool HasListOfNumbers(const google::protobuf::Descriptor& type, const std::string& name);

/// Sets a singular field to its default, so that it counts as present. Does nothing for a message.
void SetToDefault(google::protobuf::Message& message, const google::protobuf::FieldDescriptor& field);

}  // namespace twofour::train
