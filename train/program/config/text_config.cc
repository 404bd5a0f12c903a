#include "twofour/train/program/config/text_config.h"

#include <fmt/format.h>
#include <google/protobuf/text_format.h>

#include <filesystem>

#include "twofour/core/error.h"
#include "twofour/train/program/config/fields.h"
#include "twofour/train/program/config/text_message.h"

namespace twofour::train {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::TextFormat;

/// Whether the field, or another field of its oneof, has a value.
bool IsDecided(const Message& message, const FieldDescriptor& field) {
  const Reflection* reflection = message.GetReflection();
  if (field.real_containing_oneof() == nullptr) return reflection->HasField(message, &field);
  return reflection->HasOneof(message, field.real_containing_oneof());
}

void MaterialiseDefaults(Message& message) {
  const Descriptor* type = message.GetDescriptor();
  const Reflection* reflection = message.GetReflection();
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (field->is_repeated()) continue;
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      if (field->containing_oneof() != nullptr && !reflection->HasField(message, field)) continue;
      MaterialiseDefaults(*reflection->MutableMessage(&message, field));
    } else if (field->has_default_value() && !IsDecided(message, *field)) {
      SetToDefault(message, *field);
    }
  }
}

}  // namespace

proto::Config ParseTextConfig(const std::string& text, const std::string& source) {
  proto::Config config;
  ParseTextMessage(text, source, config);
  return config;
}

proto::Config LoadTextConfig(const std::string& path) {
  proto::Config config;
  LoadTextMessage(path, config);
  if (config.ByteSizeLong() == 0) {
    throw Error(
        fmt::format("{}: holds nothing but blanks and comments, if anything; expected model {{ ... }}, data "
                    "{{ ... }} and more",
                    path));
  }
  if (!config.has_name()) config.set_name(std::filesystem::path(path).stem().string());
  return config;
}

proto::Config WithDefaults(const proto::Config& config) {
  proto::Config resolved = config;
  if (resolved.optimizer().kind_case() == proto::Optimizer::KIND_NOT_SET) {
    resolved.mutable_optimizer()->mutable_adamw();
  }
  MaterialiseDefaults(resolved);
  return resolved;
}

std::string ToText(const proto::Config& config) {
  std::string text;
  TextFormat::Printer printer;
  printer.SetUseUtf8StringEscaping(true);
  printer.PrintToString(config, &text);
  return text;
}

}  // namespace twofour::train
