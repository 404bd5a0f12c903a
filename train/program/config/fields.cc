#include "twofour/train/program/config/fields.h"

#include <algorithm>
#include <set>

namespace twofour::train {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

std::vector<std::string> FieldNames(const Descriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->name());
  return names;
}

namespace {

void FindFields(const Descriptor& type, const std::string& name, std::set<const Descriptor*>& seen,
                std::vector<const FieldDescriptor*>& found) {
  if (!seen.insert(&type).second) return;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (field.name() == name) found.push_back(&field);
    if (field.message_type() != nullptr) FindFields(*field.message_type(), name, seen, found);
  }
}

}  // namespace

bool HasListOfNumbers(const Descriptor& type, const std::string& name) {
  std::set<const Descriptor*> seen;
  std::vector<const FieldDescriptor*> found;
  FindFields(type, name, seen, found);
  return std::ranges::any_of(found, [](const FieldDescriptor* field) {
    const bool is_number = field->cpp_type() < FieldDescriptor::CPPTYPE_BOOL;
    return field->is_repeated() && is_number;
  });
}

void SetToDefault(Message& message, const FieldDescriptor& field) {
  const Reflection* reflection = message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection->SetInt32(&message, &field, field.default_value_int32());
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection->SetInt64(&message, &field, field.default_value_int64());
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection->SetUInt32(&message, &field, field.default_value_uint32());
    case FieldDescriptor::CPPTYPE_UINT64:
      return reflection->SetUInt64(&message, &field, field.default_value_uint64());
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection->SetDouble(&message, &field, field.default_value_double());
    case FieldDescriptor::CPPTYPE_FLOAT:
      return reflection->SetFloat(&message, &field, field.default_value_float());
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection->SetBool(&message, &field, field.default_value_bool());
    case FieldDescriptor::CPPTYPE_ENUM:
      return reflection->SetEnum(&message, &field, field.default_value_enum());
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection->SetString(&message, &field, field.default_value_string());
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return;
  }
}

}  // namespace twofour::train
