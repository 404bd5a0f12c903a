#include "twofour/train/program/config/value_slip.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string_view>
#include <vector>

namespace twofour::train {
namespace {

using google::protobuf::FieldDescriptor;

constexpr std::string_view kBlanks = " \t\r\n";
constexpr size_t kMostShown = 40;

std::string Trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

bool AreDigits(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c) != 0; });
}

std::optional<double> AsNumber(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || end != text.c_str() + text.size()) return std::nullopt;
  return value;
}

bool IsWhole(const FieldDescriptor& field) {
  return field.cpp_type() != FieldDescriptor::CPPTYPE_DOUBLE && field.cpp_type() != FieldDescriptor::CPPTYPE_FLOAT;
}

bool IsNumber(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return true;
    default:
      return false;
  }
}

template <typename T>
std::string Range() {
  return fmt::format("a whole number from {} to {}", std::numeric_limits<T>::min(), std::numeric_limits<T>::max());
}

std::string RangeOf(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return Range<int32_t>();
    case FieldDescriptor::CPPTYPE_UINT32:
      return Range<uint32_t>();
    case FieldDescriptor::CPPTYPE_UINT64:
      return Range<uint64_t>();
    default:
      return Range<int64_t>();
  }
}

std::string ExpectedWhole(const FieldDescriptor& field, const std::string& text) {
  if (AreDigits(text)) return RangeOf(field);
  const std::optional<double> number = AsNumber(text);
  constexpr double kMostSuggested = 1e15;
  if (number && std::floor(*number) == *number && std::abs(*number) < kMostSuggested) {
    return fmt::format("a whole number: {}", static_cast<int64_t>(*number));
  }
  if (text.find(',') != std::string::npos) return "one whole number, without commas";
  return text[0] == '[' || text[0] == '{' ? "one whole number" : "a whole number";
}

std::string ExpectedNumber(const std::string& text) {
  if (text.find(',') != std::string::npos && text[0] != '[') return "one number, with a point for decimals: 0.001";
  if (text[0] == '[' || text[0] == '{') return "one number";
  return std::isdigit(static_cast<unsigned char>(text[0])) != 0 ? "a number such as 0.001" : "a number";
}

}  // namespace

std::optional<std::string> AsList(const std::string& text) {
  constexpr std::string_view kSeparators = " \t,;|xX[](){}";
  std::vector<std::string> numbers;
  for (size_t at = 0; (at = text.find_first_not_of(kSeparators, at)) != std::string::npos;) {
    const size_t end = std::min(text.find_first_of(kSeparators, at), text.size());
    numbers.push_back(text.substr(at, end - at));
    if (!AsNumber(numbers.back())) return std::nullopt;
    at = end;
  }
  const bool in_brackets = text.find_first_of("[(") != std::string::npos;
  if (numbers.empty() || (numbers.size() == 1 && !in_brackets)) return std::nullopt;
  return fmt::format("[{}]", fmt::join(numbers, ", "));
}

std::optional<std::string> MisreadValue(const FieldDescriptor& field, const std::string& text) {
  if (!IsNumber(field) || field.is_repeated()) return std::nullopt;
  const std::string value = Trimmed(text);
  const size_t first = value.starts_with('-') ? 1 : 0;
  if (!AreDigits(value) || value.size() <= first + 1 || value[first] != '0') return std::nullopt;
  return fmt::format("found {}, expected a number that does not begin with 0", value.substr(0, kMostShown));
}

std::optional<std::string> ExplainValue(const FieldDescriptor& field, const std::string& text) {
  const std::string value = Trimmed(text);
  const std::string found = value.empty() ? "the end of the text" : value.substr(0, kMostShown);
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_BOOL && std::isalpha(static_cast<unsigned char>(value[0])) == 0) {
    return fmt::format("found {}, expected true or false", found);
  }
  if (!IsNumber(field) || value.empty()) return std::nullopt;
  if (field.is_repeated()) {
    const std::optional<std::string> list = AsList(value);
    if (!list || *list == value) return std::nullopt;
    return fmt::format("found {}, expected a list in brackets: {}", found, *list);
  }
  if (IsWhole(field) && value.starts_with('-') && RangeOf(field).starts_with("a whole number from 0 ")) {
    return fmt::format("found {}, expected a whole number of at least 0", found);
  }
  return fmt::format("found {}, expected {}", found,
                     IsWhole(field) ? ExpectedWhole(field, value) : ExpectedNumber(value));
}

}  // namespace twofour::train
