#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>
#include <vector>

namespace twofour::train {

/// Names of a message type's fields, in the order of their numbers.
std::vector<std::string> FieldNames(const google::protobuf::Descriptor& type);

/// Sets a singular field that is no message to its default, so that it counts as present.
void SetToDefault(google::protobuf::Message& message, const google::protobuf::FieldDescriptor& field);

}  // namespace twofour::train
