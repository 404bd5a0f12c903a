#include "twofour/train/program/config/parser_message.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>
#include <set>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/train/data/utf8.h"
#include "twofour/train/program/config/suggest.h"
#include "twofour/train/program/config/text_source.h"

namespace twofour::train {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;

/// The text between `before` and `after`, if the message begins with the one and ends with the other.
std::optional<std::string> Between(std::string_view message, std::string_view before, std::string_view after) {
  if (message.size() < before.size() + after.size() || !message.starts_with(before) || !message.ends_with(after)) {
    return std::nullopt;
  }
  message.remove_prefix(before.size());
  message.remove_suffix(after.size());
  return std::string(message);
}

struct Two {
  std::string first, second;
};

/// The two parts before and after `middle` of such a text.
std::optional<Two> BetweenThree(std::string_view message, std::string_view before, std::string_view middle,
                                std::string_view after) {
  const std::optional<std::string> inner = Between(message, before, after);
  const size_t at = inner ? inner->find(middle) : std::string::npos;
  if (at == std::string::npos) return std::nullopt;
  return Two{inner->substr(0, at), inner->substr(at + middle.size())};
}

/// Names what the parser found. For the end of the text, the parser's token is empty.
std::string Found(const std::string& token) { return token.empty() ? "the end of the text" : token; }

void FindEnums(const Descriptor& type, const std::string& field_name, std::set<const Descriptor*>& seen,
               std::set<const EnumDescriptor*>& found) {
  if (!seen.insert(&type).second) return;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (field.enum_type() != nullptr && field.name() == field_name) found.insert(field.enum_type());
    if (field.message_type() != nullptr) FindEnums(*field.message_type(), field_name, seen, found);
  }
}

/// ", expected one of A, B". Empty unless the fields of that name all have the same enum type.
std::string ExpectedValues(const Descriptor& root, const std::string& field_name, const std::string& value) {
  std::set<const Descriptor*> seen;
  std::set<const EnumDescriptor*> found;
  FindEnums(root, field_name, seen, found);
  if (found.size() != 1) return "";
  std::vector<std::string> names;
  for (int i = 0; i < (*found.begin())->value_count(); ++i) names.push_back((*found.begin())->value(i)->name());
  return fmt::format(", expected one of {}{}", fmt::join(names, ", "), DidYouMean(value, names));
}

std::string ExplainName(const std::string& token) {
  if (token == "/") return "found /, expected a field's name; comments begin with #";
  return fmt::format("found {}, expected a field's name", Found(token));
}

/// `token` is what the parser expected, `found` what it found.
std::string ExplainToken(const std::string& token, const std::string& found) {
  if (token == ":" && found == "=") return "found =, expected : between a field and its value";
  if (token == "{" && found == "=") return "found =, expected { after the name of a message";
  if (token == "{") return fmt::format("found {}, expected {{ after the name of a message", Found(found));
  return fmt::format("found {}, expected {}", Found(found), token);
}

std::string ExplainString(const std::string& token, std::string_view at) {
  const std::string_view word = FirstWord(at);
  if (token.empty() || token == "}" || word.empty() || (word[0] & 0x80) != 0) {
    return fmt::format("found {}, expected text in quotes", Found(token));
  }
  return fmt::format("found {}, expected text in quotes: \"{}\"", word, word.substr(0, word.find_first_of("\"'")));
}

/// Explains a character that is only allowed in quotes.
std::string ExplainForeignCharacter(std::string_view at) {
  try {
    const char32_t character = Utf8Reader(at.substr(0, 4 < at.size() ? 4 : at.size()), "").Next();
    const bool is_quote = (character >= 0x2018 && character <= 0x201F) || character == 0xAB || character == 0xBB;
    return fmt::format("found {}, expected {}", DescribeCharacter(character),
                       is_quote ? "\" for a quote" : "it in quotes alone");
  } catch (const Error&) {
    return "found a byte that is no UTF-8, expected text";
  }
}

}  // namespace

std::string InPlainWords(const std::string& message, const Descriptor& root, std::string_view at) {
  if (const auto token = Between(message, "Expected identifier, got: ", "")) return ExplainName(*token);
  if (const auto two = BetweenThree(message, "Expected \"", "\", found \"", "\".")) {
    return ExplainToken(two->first, two->second);
  }
  if (const auto token = Between(message, "Expected string, got: ", "")) return ExplainString(*token, at);
  if (const auto token = Between(message, "Expected integer, got: ", "")) {
    const std::string_view word = FirstWord(at);
    if (*token == "-") {
      return fmt::format("found {}, expected a whole number of at least 0", word.empty() ? *token : word);
    }
    return fmt::format("found {}, expected a whole number", Found(*token));
  }
  if (const auto token = Between(message, "Expected double, got: ", "")) {
    return fmt::format("found {}, expected a number", Found(*token));
  }
  if (const auto token = Between(message, "Expected integer or identifier, got: ", "")) {
    return fmt::format("found {}, expected a name without quotes", Found(*token));
  }
  if (const auto two = BetweenThree(message, "Invalid value for boolean field \"", "\". Value: \"", "\".")) {
    return fmt::format("{}: {}, expected true or false", two->first, two->second);
  }
  if (const auto two = BetweenThree(message, "Unknown enumeration value of \"", "\" for field \"", "\".")) {
    return fmt::format("{}: unknown value {}{}", two->second, two->first,
                       ExpectedValues(root, two->second, two->first));
  }
  if (const auto name = Between(message, "Non-repeated field \"", "\" is specified multiple times.")) {
    return fmt::format("{}: given twice, expected once", *name);
  }
  if (const auto two = BetweenThree(message, "Field \"", "\" is specified along with field \"", ".")) {
    return fmt::format("{} beside {}, expected one of them", two->first, two->second.substr(0, two->second.find('"')));
  }
  if (message.starts_with("Interpreting non ascii codepoint")) return ExplainForeignCharacter(at);
  if (message.starts_with("Invalid control characters")) return "found a control character, expected text";
  if (message.starts_with("Need space between number and identifier")) return "found letters behind a number";
  if (const auto number = Between(message, "Integer out of range (", ")")) {
    constexpr size_t kFewerThanOfAnyInteger = 10;  // The smallest limit of an integer, 2^31, has ten digits.
    if (number->size() < kFewerThanOfAnyInteger) return fmt::format("found {}, expected true or false", *number);
    return fmt::format("found {}, expected a smaller whole number", *number);
  }
  return message;
}

}  // namespace twofour::train
