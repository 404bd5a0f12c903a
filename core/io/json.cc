#include "twofour/core/io/json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "twofour/core/error.h"

namespace twofour {
namespace {

// Objects that are read are ordered by name, so that members are found fast. Objects that are written keep the order in
// which members were set.
using Read = nlohmann::json;
using Written = nlohmann::ordered_json;
using Invalid = Written::error_handler_t;

const Read& ValueAt(const void* value) { return *static_cast<const Read*>(value); }

std::string TextOf(const Written& json, std::optional<int> indent, bool ascii, Invalid invalid) {
  try {
    return json.dump(indent.value_or(-1), ' ', ascii, invalid);
  } catch (const Written::type_error&) {
    throw Error("text that is not UTF-8 cannot be written as JSON");
  }
}

}  // namespace

bool JsonValue::is_null() const { return ValueAt(value_).is_null(); }
bool JsonValue::is_boolean() const { return ValueAt(value_).is_boolean(); }
bool JsonValue::is_number() const { return ValueAt(value_).is_number(); }
bool JsonValue::is_integer() const { return ValueAt(value_).is_number_integer(); }
bool JsonValue::is_unsigned() const { return ValueAt(value_).is_number_unsigned(); }
bool JsonValue::is_string() const { return ValueAt(value_).is_string(); }
bool JsonValue::is_array() const { return ValueAt(value_).is_array(); }
bool JsonValue::is_object() const { return ValueAt(value_).is_object(); }

bool JsonValue::boolean() const { return ValueAt(value_).get<bool>(); }
int64_t JsonValue::integer() const { return ValueAt(value_).get<int64_t>(); }
uint64_t JsonValue::unsigned_integer() const { return ValueAt(value_).get<uint64_t>(); }
double JsonValue::number() const { return ValueAt(value_).get<double>(); }
const std::string& JsonValue::string() const { return ValueAt(value_).get_ref<const std::string&>(); }

std::vector<JsonValue> JsonValue::elements() const {
  std::vector<JsonValue> elements;
  for (const Read& element : ValueAt(value_).get_ref<const Read::array_t&>()) elements.push_back(JsonValue(&element));
  return elements;
}

std::vector<std::pair<std::string_view, JsonValue>> JsonValue::members() const {
  std::vector<std::pair<std::string_view, JsonValue>> members;
  for (const auto& [name, value] : ValueAt(value_).get_ref<const Read::object_t&>()) {
    members.emplace_back(name, JsonValue(&value));
  }
  return members;
}

std::optional<JsonValue> JsonValue::Find(std::string_view name) const {
  const Read& object = ValueAt(value_);
  if (!object.is_object()) return std::nullopt;
  const auto found = object.find(name);
  if (found == object.end()) return std::nullopt;
  return JsonValue(&*found);
}

std::string JsonValue::ToText() const { return ValueAt(value_).dump(); }

std::optional<JsonDocument> JsonDocument::TryParse(std::string_view text) {
  auto json = std::make_shared<const Read>(Read::parse(text, nullptr, /*allow_exceptions=*/false));
  if (json->is_discarded()) return std::nullopt;
  return JsonDocument(std::move(json));
}

JsonDocument JsonDocument::Parse(std::string_view text, const std::string& source, const JsonChecks& checks) {
  // The library takes a zero byte as the end of its input and would ignore what follows.
  if (const size_t zero = text.find('\0'); zero != std::string_view::npos) {
    throw Error(fmt::format("{}: byte {}: not valid JSON: a zero byte", source, zero));
  }
  using Event = Read::parse_event_t;
  const auto check = [&](int depth, Event event, Read& parsed) {
    const bool begins = event == Event::array_start || event == Event::object_start;
    if (begins && checks.on_begin) checks.on_begin(depth, event == Event::array_start);
    if (event == Event::key && checks.on_name) checks.on_name(parsed.get_ref<const std::string&>());
    return true;
  };
  try {
    return JsonDocument(std::make_shared<const Read>(Read::parse(text, check)));
  } catch (const Read::parse_error& error) {
    throw Error(fmt::format("{}: not valid JSON at its byte {}", source, error.byte));
  } catch (const Read::exception&) {
    throw Error(fmt::format("{}: not valid JSON: a number is out of range", source));
  }
}

struct JsonObject::Members {
  Written json = Written::object();
};

JsonObject::JsonObject() : members_(std::make_unique<Members>()) {}
JsonObject::~JsonObject() = default;
JsonObject::JsonObject(const JsonObject& other) : members_(std::make_unique<Members>(*other.members_)) {}
JsonObject& JsonObject::operator=(const JsonObject& other) {
  *members_ = *other.members_;
  return *this;
}

JsonObject& JsonObject::Set(std::string_view name, double value) {
  members_->json[std::string(name)] = value;
  return *this;
}
JsonObject& JsonObject::Set(std::string_view name, std::string_view value) {
  members_->json[std::string(name)] = value;
  return *this;
}
JsonObject& JsonObject::Set(std::string_view name, const std::vector<std::string>& values) {
  members_->json[std::string(name)] = values;
  return *this;
}
JsonObject& JsonObject::Set(std::string_view name, const std::vector<double>& values) {
  members_->json[std::string(name)] = values;
  return *this;
}
JsonObject& JsonObject::Set(std::string_view name, const std::vector<int64_t>& values) {
  members_->json[std::string(name)] = values;
  return *this;
}
JsonObject& JsonObject::Append(const std::vector<std::pair<std::string, int64_t>>& members) {
  auto& object = members_->json.get_ref<nlohmann::ordered_json::object_t&>();
  for (const auto& [name, value] : members) {
    static_cast<std::vector<nlohmann::ordered_json::object_t::value_type>&>(object).emplace_back(name, value);
  }
  return *this;
}
JsonObject& JsonObject::Set(std::string_view name, const JsonObject& value) {
  members_->json[std::string(name)] = value.members_->json;
  return *this;
}
JsonObject& JsonObject::Set(std::string_view name, const std::vector<JsonObject>& values) {
  Written array = Written::array();
  for (const JsonObject& value : values) array.push_back(value.members_->json);
  members_->json[std::string(name)] = std::move(array);
  return *this;
}
JsonObject& JsonObject::SetBoolean(std::string_view name, bool value) {
  members_->json[std::string(name)] = value;
  return *this;
}
JsonObject& JsonObject::SetInteger(std::string_view name, int64_t value) {
  members_->json[std::string(name)] = value;
  return *this;
}
JsonObject& JsonObject::SetUnsigned(std::string_view name, uint64_t value) {
  members_->json[std::string(name)] = value;
  return *this;
}

std::string JsonObject::ToText(std::optional<int> indent) const {
  return TextOf(members_->json, indent, /*ascii=*/false, Invalid::strict);
}

std::string JsonObject::ToTextReplacing(std::optional<int> indent) const {
  return TextOf(members_->json, indent, /*ascii=*/false, Invalid::replace);
}

std::string JsonString(std::string_view text) {
  return TextOf(Written(text), std::nullopt, /*ascii=*/false, Invalid::strict);
}

std::string JsonStringInAscii(std::string_view text) {
  return TextOf(Written(text), std::nullopt, /*ascii=*/true, Invalid::replace);
}

}  // namespace twofour
