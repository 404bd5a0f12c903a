#include "twofour/train/program/config/text_message.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <cctype>
#include <optional>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/text.h"
#include "twofour/train/program/config/fields.h"
#include "twofour/train/program/config/number_range.h"
#include "twofour/train/program/config/parser_message.h"
#include "twofour/train/program/config/suggest.h"
#include "twofour/train/program/config/text_source.h"
#include "twofour/train/program/config/text_structure.h"
#include "twofour/train/program/config/value_slip.h"

namespace twofour::train {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::TextFormat;

constexpr uint64_t kMaxBytes = 1 << 20;

/// An unknown field that a warning of the parser names.
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

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.remove_suffix(1);
  return text;
}

/// The field name before the colon.
std::string NameBefore(std::string_view line, size_t colon) {
  const std::string_view before = Trimmed(line.substr(0, colon));
  const size_t last = before.find_last_of(" \t{;,");
  return std::string(last == std::string_view::npos ? before : before.substr(last + 1));
}

struct Fault {
  TextSource::Place place;
  std::string line;
};

class FaultCollector : public google::protobuf::io::ErrorCollector {
 public:
  FaultCollector(const TextSource& source, const Descriptor& root) : source_(source), root_(root) {}

  // A line of -1 means the text as a whole.
  void AddError(int line, int column, const std::string& message) override {
    if (error) return;  // Later errors are consequences of the first.
    TextSource::Place place = source_.FromParser(line, column);
    const std::string_view rest = source_.Line(place.line).substr(place.offset);
    const std::string what = IsBrokenNumber(message, place) ? ExplainBrokenNumber(place)
                             : IsFarBelowZero(message, place)
                                 ? fmt::format("found -{}, expected a larger whole number", FirstWord(rest))
                                 : InPlainWords(message, root_, rest);
    if (const auto value = RefusedValue(message)) place = StartOf(*value, place);
    error = Fault{place, line < 0 ? fmt::format("{}: {}", source_.name(), what) : source_.Located(place, what)};
  }

  // The parser is set to accept unknown fields: it reports them as warnings and goes on, so that all of them are found.
  void AddWarning(int line, int column, const std::string& message) override {
    if (error) return;
    TextSource::Place place = source_.FromParser(line, column);
    const std::optional<UnknownField> unknown = ParseWarning(message);
    if (!unknown && message.starts_with("Ignoring extension")) {
      error = Fault{place, source_.Located(place, "found [ ], expected a field's name: a message is name { ... }")};
      return;
    }
    if (!unknown) return unknown_fields.push_back({place, source_.Located(place, message)});
    place = StartOf(unknown->name, place);
    if (std::isdigit(static_cast<unsigned char>(unknown->name[0])) != 0 || FollowsDigit(place)) {
      error = Fault{place, source_.Located(place, ExplainBrokenNumber(place))};
      return;
    }
    unknown_fields.push_back({place, source_.Located(place, Explain(*unknown))});
  }

  std::optional<Fault> error;
  std::vector<Fault> unknown_fields;

 private:
  /// Where `name` begins. The parser reports a place after the name, which may be on a later line.
  TextSource::Place StartOf(const std::string& name, const TextSource::Place& place) const {
    for (size_t line = place.line + 1; line-- > 0;) {
      const size_t start = source_.Line(line).rfind(name, line == place.line ? place.offset : std::string_view::npos);
      if (start != std::string_view::npos) return {line, start};
    }
    return place;
  }

  /// The refused value, if the parser's message is about a value that it has read already.
  static std::optional<std::string> RefusedValue(const std::string& message) {
    const char* const kBefore[] = {"Unknown enumeration value of \"", "\". Value: \""};
    for (const std::string_view before : kBefore) {
      const size_t at = message.find(before);
      if (at == std::string::npos) continue;
      const size_t begin = at + before.size();
      return message.substr(begin, message.find('"', begin) - begin);
    }
    return std::nullopt;
  }

  /// "10k", "1/1000" and "5%", which stop being a number in the middle.
  bool IsBrokenNumber(const std::string& message, const TextSource::Place& place) const {
    if (message.starts_with("Need space between number and identifier")) return true;
    return (message.ends_with("got: /") || message.ends_with("got: %")) && FollowsDigit(place);
  }

  bool IsFarBelowZero(const std::string& message, const TextSource::Place& place) const {
    return message.starts_with("Integer out of range") && place.offset > 0 &&
           source_.Line(place.line)[place.offset - 1] == '-';
  }

  bool FollowsDigit(const TextSource::Place& place) const {
    return place.offset > 0 &&
           std::isdigit(static_cast<unsigned char>(source_.Line(place.line)[place.offset - 1])) != 0;
  }

  /// In "10k", "10_000", "0,5" and "64, 32", the parser takes the first part for a number and the rest for a field.
  std::string ExplainBrokenNumber(const TextSource::Place& place) const {
    constexpr size_t kMostShown = 40;
    const std::string_view line = source_.Line(place.line);
    const size_t before = place.offset == 0 ? std::string_view::npos : line.find_last_of(" \t:{[", place.offset - 1);
    const size_t begin = before == std::string_view::npos ? 0 : before + 1;
    const std::string_view word = line.substr(begin, line.find_first_of(" \t}]#", begin) - begin);
    const size_t colon = begin == 0 ? std::string_view::npos : line.rfind(':', begin - 1);
    if (colon != std::string_view::npos && HasListOfNumbers(root_, NameBefore(line, colon))) {
      const std::string_view all = Trimmed(line.substr(colon + 1, line.find_first_of("}#:", colon + 1) - colon - 1));
      if (const auto list = AsList(std::string(all))) {
        return fmt::format("found {}, expected one number, or a list in brackets: {}", all.substr(0, kMostShown),
                           *list);
      }
    }
    return fmt::format("found {}, expected a number such as 10000 or 0.5", word.substr(0, kMostShown));
  }

  const TextSource& source_;
  const Descriptor& root_;
};

/// The place of the opening brace, if the text begins with one, as JSON does.
std::optional<TextSource::Place> JsonStart(const TextSource& source) {
  const size_t last = source.End().line;
  for (size_t line = 0; line <= last; ++line) {
    const size_t at = source.Line(line).find_first_not_of(" \t");
    if (at == std::string_view::npos || source.Line(line)[at] == '#') continue;
    return source.Line(line)[at] == '{' ? std::optional(TextSource::Place{line, at}) : std::nullopt;
  }
  return std::nullopt;
}

/// Looks for faults of brackets and quotes. Such a fault replaces the parser's error if it comes first or explains that
/// error. Returns true if something is not closed at the end of the text.
bool PutStructureFirst(const TextSource& source, FaultCollector& faults) {
  const std::optional<StructureFault> fault = FindStructureFault(source);
  if (!fault) return false;
  const std::string line = source.Located(fault->place, fault->message);
  if (fault->at_end) {
    // If something is not closed, all later fields end up in the wrong message. One unknown field is then enough to
    // report.
    if (faults.unknown_fields.size() > 1) faults.unknown_fields.resize(1);
    if (faults.error && !source.NothingFrom(faults.error->place)) {
      faults.unknown_fields.push_back(*faults.error);
    }
    faults.error = Fault{fault->place, line};
  } else if (!faults.error || fault->place <= faults.error->place) {
    faults.error = Fault{fault->place, line};
  }
  return fault->at_end;
}

}  // namespace

void ParseTextMessage(const std::string& text, const std::string& name, google::protobuf::Message& message) {
  const TextSource source(text, name);
  FaultCollector faults(source, *message.GetDescriptor());
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&faults);
  parser.AllowUnknownField(true);
  parser.SetRecursionLimit(20);
  const bool parsed = parser.ParseFromString(source.text(), &message);
  if (parsed && !faults.error && faults.unknown_fields.empty()) {
    const std::optional<NumberOutOfRange> number = FindNumberOutOfRange(source.text());
    if (!number) return;
    throw Error(source.Located(source.FromParser(number->line, number->column), number->message));
  }
  std::vector<std::string> lines;
  if (const auto start = JsonStart(source)) {
    lines.push_back(
        source.Located(*start, "found {, as in JSON; expected protobuf text: name: value and name { ... }"));
  } else {
    const bool at_end = PutStructureFirst(source, faults);
    if (faults.error && at_end) lines.push_back(faults.error->line);
    for (const Fault& unknown : faults.unknown_fields) lines.push_back(unknown.line);
    if (faults.error && !at_end) lines.push_back(faults.error->line);
  }
  if (lines.empty()) lines.push_back(fmt::format("{}: does not parse", name));
  throw Error(fmt::format("{}", fmt::join(lines, "\n")));
}

void LoadTextMessage(const std::string& path, google::protobuf::Message& message) {
  ParseTextMessage(ReadText(FileSystem::Default(), path, kMaxBytes), path, message);
}

}  // namespace twofour::train
