#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Reads and writes JSON. The library behind it adds seconds to the compilation of every file that includes it. So only
// .cc files include it, and the pointers below hide its types.

namespace twofour {

/// A handle to a value of a JsonDocument. It is valid as long as the document lives.
class JsonValue {
 public:
  bool is_null() const;
  bool is_boolean() const;
  bool is_number() const;
  bool is_integer() const;   ///< A 64-bit number without fraction and exponent.
  bool is_unsigned() const;  ///< Such a number without a minus sign.
  bool is_string() const;
  bool is_array() const;
  bool is_object() const;

  // The value itself. The caller must have checked its kind.
  bool boolean() const;
  int64_t integer() const;
  uint64_t unsigned_integer() const;
  double number() const;
  const std::string& string() const;

  /// The elements of an array.
  std::vector<JsonValue> elements() const;
  /// The members of an object with their names, in the order of names. Of several members with the same name, the last
  /// one counts.
  std::vector<std::pair<std::string_view, JsonValue>> members() const;
  /// The member of this name; nothing where there is none, or where the value is no object.
  std::optional<JsonValue> Find(std::string_view name) const;

  /// The value as JSON text.
  std::string ToText() const;

 private:
  friend class JsonDocument;
  explicit JsonValue(const void* value) : value_(value) {}

  const void* value_;
};

/// Functions that are called while JSON text is parsed. They may throw to refuse it.
struct JsonChecks {
  /// An array or an object begins within `depth` others.
  std::function<void(int depth, bool is_array)> on_begin = {};
  /// The name of a member was read.
  std::function<void(const std::string& name)> on_name = {};
};

/// Parsed JSON text.
class JsonDocument {
 public:
  /// Nothing where the text is not valid JSON.
  static std::optional<JsonDocument> TryParse(std::string_view text);

  /// Throws Error, beginning with `source`, where the text is not valid JSON, or holds a zero byte or a number that no
  /// double can hold. Also throws what the checks throw.
  static JsonDocument Parse(std::string_view text, const std::string& source, const JsonChecks& checks = {});

  JsonValue root() const { return JsonValue(value_.get()); }

 private:
  explicit JsonDocument(std::shared_ptr<const void> value) : value_(std::move(value)) {}

  std::shared_ptr<const void> value_;
};

/// A JSON object for writing. Members are in the order in which they were first set. A number that is not finite
/// becomes null; others get the fewest digits that give the same double again.
class JsonObject {
 public:
  JsonObject();
  ~JsonObject();
  JsonObject(const JsonObject& other);
  JsonObject& operator=(const JsonObject& other);

  // Sets a member. Replaces a member of the same name.
  JsonObject& Set(std::string_view name, double value);
  JsonObject& Set(std::string_view name, std::string_view value);
  JsonObject& Set(std::string_view name, const char* value) { return Set(name, std::string_view(value)); }
  JsonObject& Set(std::string_view name, const std::string& value) { return Set(name, std::string_view(value)); }
  JsonObject& Set(std::string_view name, const std::vector<std::string>& values);
  JsonObject& Set(std::string_view name, const std::vector<double>& values);
  JsonObject& Set(std::string_view name, const std::vector<int64_t>& values);
  JsonObject& Set(std::string_view name, const JsonObject& value);
  /// Adds members that are not there yet. Set would look for each of them among all others.
  JsonObject& Append(const std::vector<std::pair<std::string, int64_t>>& members);
  JsonObject& Set(std::string_view name, const std::vector<JsonObject>& values);
  JsonObject& Set(std::string_view name, std::same_as<bool> auto value) { return SetBoolean(name, value); }
  JsonObject& Set(std::string_view name, std::integral auto value) requires(!std::same_as<decltype(value), bool>) {
    if constexpr (std::signed_integral<decltype(value)>) return SetInteger(name, value);
    return SetUnsigned(name, value);
  }

  /// The object on one line or, with `indent`, each member and element on its own line, indented by `indent` spaces per
  /// level. Throws Error where some text is not UTF-8.
  std::string ToText(std::optional<int> indent = std::nullopt) const;
  /// The same, but with the replacement character for bytes that are not UTF-8.
  std::string ToTextReplacing(std::optional<int> indent = std::nullopt) const;

 private:
  struct Members;

  JsonObject& SetBoolean(std::string_view name, bool value);
  JsonObject& SetInteger(std::string_view name, int64_t value);
  JsonObject& SetUnsigned(std::string_view name, uint64_t value);

  std::unique_ptr<Members> members_;
};

/// `text` as a JSON string, with its quotes. Throws Error where it is not UTF-8.
std::string JsonString(std::string_view text);
/// The same in pure ASCII, for messages, with the replacement character for bytes that are not UTF-8.
std::string JsonStringInAscii(std::string_view text);

}  // namespace twofour
