#include "twofour/train/config/text_message.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/text.h"
#include "twofour/train/config/fields.h"
#include "twofour/train/config/suggest.h"

namespace twofour::train {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::TextFormat;

constexpr uint64_t kMaxBytes = 1 << 20;

/// An unknown field as the parser's warning names it.
struct UnknownField {
  std::string name, message_type;
};

std::optional<UnknownField> ParseWarning(const std::string& warning) {
  const auto between = [&warning](const std::string& before) -> std::optional<std::string> {
    const size_t begin = warning.find(before);
    if (begin == std::string::npos) return std::nullopt;
    const size_t end = warning.find('"', begin + before.size());
    if (end == std::string::npos) return std::nullopt;
    return warning.substr(begin + before.size(), end - begin - before.size());
  };
  const std::optional<std::string> type = between("Message type \"");
  const std::optional<std::string> name = between("\" has no field named \"");
  if (!type || !name) return std::nullopt;
  return UnknownField{*name, *type};
}

std::string Explain(const UnknownField& unknown) {
  const Descriptor* type = DescriptorPool::generated_pool()->FindMessageTypeByName(unknown.message_type);
  if (type == nullptr) return fmt::format("unknown field '{}' in {}", unknown.name, unknown.message_type);
  return fmt::format("unknown field '{}' in {}{}", unknown.name, type->name(),
                     DidYouMean(unknown.name, FieldNames(*type)));
}

class FaultCollector : public google::protobuf::io::ErrorCollector {
 public:
  FaultCollector(const std::string& text, std::string source) : source_(std::move(source)) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) lines_.push_back(line);
  }

  // The parser counts lines and columns from 0, people from 1; a line of -1 stands for the file as a whole.
  void AddError(int line, int column, const std::string& message) override {
    errors.push_back(Located(line, column, message));
  }
  // Unknown fields are warnings to a lenient parser, which goes on and finds the next one.
  void AddWarning(int line, int column, const std::string& message) override {
    const std::optional<UnknownField> unknown = ParseWarning(message);
    if (!unknown) return unknown_fields.push_back(Located(line, column, message));
    unknown_fields.push_back(Located(line, StartOf(unknown->name, line, column), Explain(*unknown)));
  }

  std::vector<std::string> errors, unknown_fields;

 private:
  std::string Located(int line, int column, const std::string& message) const {
    if (line < 0) return fmt::format("{}: {}", source_, message);
    return fmt::format("{}:{}:{}: {}", source_, line + 1, column + 1, message);
  }

  /// The parser complains when it has read past the name: where the name began.
  int StartOf(const std::string& name, int line, int column) const {
    if (line < 0 || line >= static_cast<int>(lines_.size())) return column;
    const size_t start = lines_[line].rfind(name, static_cast<size_t>(std::max(column, 0)));
    return start == std::string::npos ? column : static_cast<int>(start);
  }

  std::string source_;
  std::vector<std::string> lines_;
};

}  // namespace

void ParseTextMessage(const std::string& text, const std::string& source, google::protobuf::Message& message) {
  FaultCollector faults(text, source);
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&faults);
  parser.AllowUnknownField(true);
  parser.SetRecursionLimit(20);
  const bool parsed = parser.ParseFromString(text, &message);
  std::vector<std::string> lines = faults.unknown_fields;
  lines.insert(lines.end(), faults.errors.begin(), faults.errors.end());
  if (!parsed && lines.empty()) lines.push_back(fmt::format("{}: does not parse", source));
  if (!lines.empty()) throw Error(fmt::format("{}", fmt::join(lines, "\n")));
}

void LoadTextMessage(const std::string& path, google::protobuf::Message& message) {
  ParseTextMessage(ReadText(FileSystem::Default(), path, kMaxBytes), path, message);
}

}  // namespace twofour::train
