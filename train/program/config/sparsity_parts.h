#pragma once

#include <google/protobuf/descriptor.h>

#include <initializer_list>

#include "config.pb.h"

namespace twofour::train {

/// The part of a recipe that a field of Sparsity belongs to, according to config.proto.
proto::Part PartOf(const google::protobuf::FieldDescriptor& field);

/// Clears the fields of these parts. The other fields stay unchanged.
void ClearParts(proto::Sparsity& sparsity, std::initializer_list<proto::Part> parts);

}  // namespace twofour::train
