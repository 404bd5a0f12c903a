#include "twofour/train/program/config/sparsity_parts.h"

#include <algorithm>
#include <stdexcept>

namespace twofour::train {

proto::Part PartOf(const google::protobuf::FieldDescriptor& field) {
  if (!field.options().HasExtension(proto::part)) {
    throw std::logic_error("config.proto: " + field.full_name() + " has no part");
  }
  return field.options().GetExtension(proto::part);
}

void ClearParts(proto::Sparsity& sparsity, std::initializer_list<proto::Part> parts) {
  const google::protobuf::Descriptor& type = *sparsity.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const google::protobuf::FieldDescriptor& field = *type.field(i);
    const bool cleared = std::ranges::find(parts, PartOf(field)) != parts.end();
    if (cleared) sparsity.GetReflection()->ClearField(&sparsity, &field);
  }
}

}  // namespace twofour::train
