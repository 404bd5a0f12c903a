#include "twofour/train/program/config/overrides.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <memory>
#include <string_view>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/train/program/config/fields.h"
#include "twofour/train/program/config/number_range.h"
#include "twofour/train/program/config/parser_message.h"
#include "twofour/train/program/config/suggest.h"
#include "twofour/train/program/config/text_source.h"
#include "twofour/train/program/config/value_slip.h"

namespace twofour::train {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::TextFormat;

/// Keeps only the first error, because the later ones are consequences of it.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  explicit FirstError(const TextSource& source) : source_(source) {}
  void AddError(int line, int column, const std::string& error) override {
    if (!message.empty()) return;
    const TextSource::Place place = source_.FromParser(line, column);
    message = InPlainWords(error, *proto::Config::descriptor(), source_.Line(place.line).substr(place.offset));
  }
  std::string message;

 private:
  const TextSource& source_;
};

/// A field and the message it belongs to, found by walking a dotted path.
struct Target {
  Message* message;
  const FieldDescriptor* field;
};

Target Walk(Message& root, const std::string& path, const std::string& assignment) {
  Message* message = &root;
  size_t begin = 0;
  for (;;) {
    const size_t dot = path.find('.', begin);
    const std::string name = path.substr(begin, dot == std::string::npos ? std::string::npos : dot - begin);
    const FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(name);
    if (field == nullptr) {
      throw Error(fmt::format("--set {}: unknown field '{}' in {}{}", assignment, name,
                              message->GetDescriptor()->name(),
                              DidYouMean(name, FieldNames(*message->GetDescriptor()))));
    }
    if (dot == std::string::npos) return {message, field};
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->is_repeated()) {
      throw Error(fmt::format("--set {}: '{}' has no fields of its own", assignment, path.substr(0, dot)));
    }
    message = message->GetReflection()->MutableMessage(message, field);
    begin = dot + 1;
  }
}

std::string InQuotes(const std::string& value) {
  std::string escaped;
  for (const char c : value) {
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += c == '\n' ? "\\n" : std::string(1, c);
  }
  return '"' + escaped + '"';
}

bool IsQuoted(std::string_view value) {
  return value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front();
}

/// Texts as the parser wants them: in quotes, which a command line need not give. A list has brackets, but for one
/// text alone.
std::string WithQuotes(const std::string& assignment, const std::string& value, bool is_list) {
  if (!is_list || !value.starts_with('[')) return IsQuoted(value) ? value : InQuotes(value);
  if (!value.ends_with(']')) throw Error(fmt::format("--set {}: expected ] at the end of the list", assignment));
  std::string list = "[", element;
  char quote = '\0';  // The one that is open.
  const auto add = [&](char after) {
    const size_t begin = element.find_first_not_of(' '), end = element.find_last_not_of(' ');
    const std::string text = begin == std::string::npos ? "" : element.substr(begin, end - begin + 1);
    const bool as_it_is = text.empty() || text.front() == '"' || text.front() == '\'';
    list += (as_it_is ? text : InQuotes(text)) + after;
    element.clear();
  };
  for (size_t i = 1; i + 1 < value.size(); ++i) {
    const char c = value[i];
    if (c == ',' && quote == '\0') {
      add(',');
      continue;
    }
    element += c;
    if (c == '\\' && quote != '\0' && i + 2 < value.size()) {
      element += value[++i];
    } else if (quote == '\0' ? c == '"' || c == '\'' : c == quote) {
      quote = quote == '\0' ? c : '\0';
    }
  }
  add(']');
  return list;
}

std::string Expected(const FieldDescriptor& field) {
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    std::vector<std::string> names;
    for (int i = 0; i < field.enum_type()->value_count(); ++i) names.push_back(field.enum_type()->value(i)->name());
    return fmt::format("one of {}", fmt::join(names, ", "));
  }
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE ? "{ fields }" : field.cpp_type_name();
}

}  // namespace

void ApplyOverride(proto::Config& config, const std::string& assignment) {
  const size_t equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw Error(fmt::format("--set {}: expected path=value, as in training.steps=100", assignment));
  }
  const std::string path = assignment.substr(0, equals);
  for (const std::string record : {"branched_from", "imported_from"}) {
    if (path != record && !path.starts_with(record + ".")) continue;
    throw Error(fmt::format("--set {}: {} is a record of where a run came from and cannot be set", assignment, record));
  }
  if (path == "quantization" || path.starts_with("quantization.")) {
    throw Error(
        fmt::format("--set {}: quantization is what trainer quantize did to weights and cannot be set", assignment));
  }
  proto::Config changed = config;
  const auto [message, field] = Walk(changed, path, assignment);
  std::string value = assignment.substr(equals + 1);
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) value = WithQuotes(assignment, value, field->is_repeated());
  if (const auto misread = MisreadValue(*field, value)) throw Error(fmt::format("--set {}: {}", assignment, *misread));
  message->GetReflection()->ClearField(message, field);
  const bool is_message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
  const std::string text = fmt::format("{}{} {}", field->name(), is_message ? "" : ":", value);
  const TextSource source(text, "--set " + assignment);
  FirstError error(source);
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  parser.SetRecursionLimit(20);
  // Parsed into an empty message, to notice if the value sets a second field.
  std::unique_ptr<Message> parsed(message->New());
  if (!parser.ParseFromString(text, parsed.get())) {
    if (const auto slip = ExplainValue(*field, value)) throw Error(fmt::format("--set {}: {}", assignment, *slip));
    const bool says_so = error.message.find("expected") != std::string::npos;
    const std::string expected =
        says_so ? "" : fmt::format("expected {}{}: ", field->is_repeated() ? "a list of " : "", Expected(*field));
    throw Error(fmt::format("--set {}: {}{}", assignment, expected, error.message));
  }
  if (const auto number = FindNumberOutOfRange(value)) {
    throw Error(fmt::format("--set {}: {}", assignment, number->message));
  }
  std::vector<const FieldDescriptor*> set_fields;
  parsed->GetReflection()->ListFields(*parsed, &set_fields);
  const bool empties_list = set_fields.empty() && field->is_repeated();
  if (!empties_list && (set_fields.size() != 1 || set_fields[0] != field)) {
    throw Error(fmt::format("--set {}: the value sets more than '{}'", assignment, field->name()));
  }
  message->MergeFrom(*parsed);
  config = std::move(changed);
}

}  // namespace twofour::train
