#include "twofour/train/program/report/config_difference.h"

#include <fmt/format.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <map>

namespace twofour::train {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

std::string ValueOf(const Message& message, const FieldDescriptor& field, int index) {
  google::protobuf::TextFormat::Printer printer;
  printer.SetUseUtf8StringEscaping(true);
  std::string text;
  printer.PrintFieldValueToString(message, &field, index, &text);
  return text;
}

std::string ListOf(const Message& message, const FieldDescriptor& field, int size) {
  std::string list;
  for (int i = 0; i < size; ++i) list += (i == 0 ? "" : ", ") + ValueOf(message, field, i);
  return "[" + list + "]";
}

std::vector<int> Below(std::vector<int> place, int number) {
  place.push_back(number);
  return place;
}

void Flatten(const Message& message, const std::vector<int>& place, const std::string& prefix,
             std::vector<ConfigField>& fields) {
  const Reflection* reflection = message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message.GetDescriptor()->field(i);
    const std::vector<int> here = Below(place, i);
    const std::string path = prefix + field.name();
    const bool is_message = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (field.is_repeated()) {
      const int size = reflection->FieldSize(message, &field);
      if (size > 0 && !is_message) fields.push_back({here, path, ListOf(message, field, size)});
      for (int j = 0; is_message && j < size; ++j) {
        Flatten(reflection->GetRepeatedMessage(message, &field, j), Below(here, j), fmt::format("{}[{}].", path, j),
                fields);
      }
    } else if (reflection->HasField(message, &field)) {
      if (is_message) {
        Flatten(reflection->GetMessage(message, &field), here, path + ".", fields);
      } else {
        fields.push_back({here, path, ValueOf(message, field, -1)});
      }
    }
  }
}

}  // namespace

std::vector<ConfigField> FlattenConfig(const proto::Config& config) {
  std::vector<ConfigField> fields;
  Flatten(config, {}, "", fields);
  return fields;
}

proto::Config WithoutSeed(const proto::Config& config) {
  proto::Config rest = config;
  rest.clear_seed();
  rest.clear_threads();
  if (!rest.initial_weights().empty()) rest.set_initial_weights("(given)");
  if (rest.has_branched_from()) rest.mutable_branched_from()->set_run("(given)");  // This differs between seeds, too.
  return rest;
}

std::vector<FieldDifference> DifferingFields(std::span<const proto::Config> configs) {
  std::map<std::vector<int>, FieldDifference> fields;
  for (size_t i = 0; i < configs.size(); ++i) {
    for (ConfigField& field : FlattenConfig(configs[i])) {
      FieldDifference& all = fields[field.place];
      all.path = std::move(field.path);
      all.values.resize(configs.size());
      all.values[i] = std::move(field.value);
    }
  }
  std::vector<FieldDifference> differing;
  for (auto& [place, field] : fields) {
    const bool differs = std::ranges::any_of(
        field.values, [&first = field.values.front()](const std::string& value) { return value != first; });
    if (differs && field.path != "name") differing.push_back(std::move(field));
  }
  return differing;
}

}  // namespace twofour::train
