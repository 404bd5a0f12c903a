#include "twofour/core/io/json_fields.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "twofour/core/error.h"

namespace twofour {

JsonFields::JsonFields(const JsonValue& json, std::string where) : json_(json), where_(std::move(where)) {
  if (!json.is_object()) Fail("expected an object");
}

JsonValue JsonFields::Get(const char* key) const {
  const std::optional<JsonValue> found = json_.Find(key);
  if (!found) Fail(fmt::format("no {}", key));
  return *found;
}

std::string JsonFields::TextOf(const JsonValue& value, const char* key) const {
  if (!value.is_string()) Fail(fmt::format("{}: expected text", key));
  return value.string();
}

std::string JsonFields::Text(const char* key) const { return TextOf(Get(key), key); }

std::string JsonFields::TextIfAny(const char* key) const { return json_.Find(key) ? Text(key) : ""; }

double JsonFields::Number(const char* key) const {
  const JsonValue value = Get(key);
  if (!value.is_number()) Fail(fmt::format("{}: expected a number", key));
  return value.number();
}

uint64_t JsonFields::Count(const char* key) const {
  const JsonValue value = Get(key);
  if (!value.is_unsigned()) Fail(fmt::format("{}: expected a whole number", key));
  return value.unsigned_integer();
}

std::vector<JsonValue> JsonFields::List(const char* key) const {
  const JsonValue list = Get(key);
  if (!list.is_array()) Fail(fmt::format("{}: expected a list", key));
  return list.elements();
}

std::vector<std::string> JsonFields::Texts(const char* key) const {
  std::vector<std::string> texts;
  for (const JsonValue& value : List(key)) texts.push_back(TextOf(value, key));
  return texts;
}

void JsonFields::Fail(const std::string& what) const { throw Error(fmt::format("{}: {}", where_, what)); }

}  // namespace twofour
