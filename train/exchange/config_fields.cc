#include "twofour/train/exchange/config_fields.h"

#include <fmt/format.h>

#include <limits>
#include <utility>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

constexpr int kMostDepth = 64;

std::optional<int64_t> IntegerOf(const JsonValue& value) {
  if (!value.is_integer()) return std::nullopt;
  constexpr auto kMost = uint64_t{std::numeric_limits<int64_t>::max()};
  return value.is_unsigned() && value.unsigned_integer() > kMost ? std::nullopt : std::optional(value.integer());
}

}  // namespace

ConfigFields::ConfigFields(const JsonValue& object, std::string source, std::string path)
    : object_(object), source_(std::move(source)), path_(std::move(path)) {}

std::optional<JsonValue> ConfigFields::Find(std::string_view name) const {
  const std::optional<JsonValue> value = object_.Find(name);
  return value && !value->is_null() ? value : std::nullopt;
}

template <typename T, typename Read>
T ConfigFields::Get(std::string_view name, const std::optional<T>& if_missing, std::string_view expected,
                    const Read& read) const {
  const std::optional<JsonValue> value = Find(name);
  if (!value && if_missing) return *if_missing;
  if (!value) Fail(name, fmt::format("is missing, expected {}", expected));
  if (const std::optional<T> got = read(*value)) return *got;
  Fail(name, fmt::format("is {}, expected {}", value->ToText().substr(0, 40), expected));
}

int64_t ConfigFields::Integer(std::string_view name, std::optional<int64_t> if_missing) const {
  return Get<int64_t>(name, if_missing, "an integer", IntegerOf);
}

double ConfigFields::Number(std::string_view name, std::optional<double> if_missing) const {
  return Get<double>(name, if_missing, "a number", [](const JsonValue& value) {
    return value.is_number() ? std::optional(value.number()) : std::nullopt;
  });
}

bool ConfigFields::Boolean(std::string_view name, bool if_missing) const {
  return Get<bool>(name, if_missing, "true or false", [](const JsonValue& value) {
    return value.is_boolean() ? std::optional(value.boolean()) : std::nullopt;
  });
}

std::string ConfigFields::Text(std::string_view name, std::optional<std::string> if_missing) const {
  return Get<std::string>(name, if_missing, "a string", [](const JsonValue& value) {
    return value.is_string() ? std::optional(value.string()) : std::nullopt;
  });
}

std::vector<int64_t> ConfigFields::Integers(std::string_view name) const {
  const std::optional<JsonValue> value = Find(name);
  if (!value) return {};
  if (!value->is_array()) return {Integer(name)};
  std::vector<int64_t> integers;
  for (const JsonValue& element : value->elements()) {
    const std::optional<int64_t> integer = IntegerOf(element);
    if (!integer) Fail(name, "has an element that is no integer");
    integers.push_back(*integer);
  }
  return integers;
}

std::optional<ConfigFields> ConfigFields::Object(std::string_view name) const {
  const std::optional<JsonValue> value = Find(name);
  if (!value) return std::nullopt;
  if (!value->is_object()) Fail(name, "is no object");
  return ConfigFields(*value, source_, fmt::format("{}{}.", path_, name));
}

void ConfigFields::RequireOnly(std::string_view name, bool only) const {
  if (Boolean(name, only) != only) Fail(name, fmt::format("is {}, expected {}", !only, only));
}

void ConfigFields::Fail(std::string_view name, std::string_view what) const {
  throw Error(fmt::format("{}: {}{} {}", source_, path_, name, what));
}

JsonDocument ParseConfigObject(std::string_view json, const std::string& source) {
  const JsonChecks checks{.on_begin = [&](int depth, bool /*is_array*/) {
    if (depth > kMostDepth) throw Error(fmt::format("{}: nested deeper than {}", source, kMostDepth));
  }};
  JsonDocument document = JsonDocument::Parse(json, source, checks);
  if (!document.root().is_object()) throw Error(fmt::format("{}: is no JSON object", source));
  return document;
}

}  // namespace twofour::train
