#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>
#include <vector>

namespace twofour::train {

/// Names of a message type's fields, in the order of their numbers.
std::vector<std::string> FieldNames(const google::protobuf::Descriptor& type);

/// Whether a type, or one of those of its fields, has a list of numbers of that name.
bool HasListOfNumbers(const google::protobuf::Descriptor& type, const std::string& name);

/// Sets a singular field that is no message to its default, so that it counts as present.
void SetToDefault(google::protobuf::Message& message, const google::protobuf::FieldDescriptor& field);

}  // namespace twofour::train
