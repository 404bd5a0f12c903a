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

// JSON, read and written. The library that does both takes seconds of every file that includes it: json.cc alone does,
// and what is behind the pointers below is its own.

namespace twofour {

/// A value of a JsonDocument: a handle that is good for as long as the document lives.
class JsonValue {
 public:
  bool is_null() const;
  bool is_boolean() const;
  bool is_number() const;
  bool is_integer() const;   ///< A number without fraction and exponent, of 64 bits.
  bool is_unsigned() const;  ///< Such a number that has no sign.
  bool is_string() const;
  bool is_array() const;
  bool is_object() const;

  // What the value is. The caller has asked for its kind.
  bool boolean() const;
  int64_t integer() const;
  uint64_t unsigned_integer() const;
  double number() const;
  const std::string& string() const;

  /// The elements of an array.
  std::vector<JsonValue> elements() const;
  /// The members of an object by their names, in the names' order. The last of several of one name is the one.
  std::vector<std::pair<std::string_view, JsonValue>> members() const;
  /// The member of this name; nothing where there is none, or where the value is no object.
  std::optional<JsonValue> Find(std::string_view name) const;

  /// As JSON text.
  std::string ToText() const;

 private:
  friend class JsonDocument;
  explicit JsonValue(const void* value) : value_(value) {}

  const void* value_;
};

/// What may object, by throwing, to JSON text while it is parsed.
struct JsonChecks {
  /// An array, or else an object, begins within `depth` others.
  std::function<void(int depth, bool is_array)> on_begin = {};
  /// A name of a member was read.
  std::function<void(const std::string& name)> on_name = {};
};

/// JSON text that was parsed.
class JsonDocument {
 public:
  /// Nothing where the text is not valid JSON.
  static std::optional<JsonDocument> TryParse(std::string_view text);

  /// Throws Error that begins with `source` where the text is not valid JSON, holds a zero byte or a number that no
  /// double holds, and what the checks throw.
  static JsonDocument Parse(std::string_view text, const std::string& source, const JsonChecks& checks = {});

  JsonValue root() const { return JsonValue(value_.get()); }

 private:
  explicit JsonDocument(std::shared_ptr<const void> value) : value_(std::move(value)) {}

  std::shared_ptr<const void> value_;
};

/// A JSON object to be written. Members stand in the order in which they were first set. A number that is not finite
/// becomes null; others get the fewest digits that give the same double again.
class JsonObject {
 public:
  JsonObject();
  ~JsonObject();
  JsonObject(const JsonObject& other);
  JsonObject& operator=(const JsonObject& other);

  // Set a member, in the place of one of this name.
  JsonObject& Set(std::string_view name, double value);
  JsonObject& Set(std::string_view name, std::string_view value);
  JsonObject& Set(std::string_view name, const char* value) { return Set(name, std::string_view(value)); }
  JsonObject& Set(std::string_view name, const std::string& value) { return Set(name, std::string_view(value)); }
  JsonObject& Set(std::string_view name, const std::vector<std::string>& values);
  JsonObject& Set(std::string_view name, const std::vector<double>& values);
  JsonObject& Set(std::string_view name, const JsonObject& value);
  JsonObject& Set(std::string_view name, const std::vector<JsonObject>& values);
  JsonObject& Set(std::string_view name, std::same_as<bool> auto value) { return SetBoolean(name, value); }
  JsonObject& Set(std::string_view name, std::integral auto value) requires(!std::same_as<decltype(value), bool>) {
    if constexpr (std::signed_integral<decltype(value)>) return SetInteger(name, value);
    return SetUnsigned(name, value);
  }

  /// On one line, or with each member and element on a line of its own that is indented by `indent` spaces a level.
  /// Throws Error where some text is not UTF-8.
  std::string ToText(std::optional<int> indent = std::nullopt) const;
  /// The same with the replacement character for what is not UTF-8.
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
/// The same in ASCII alone, for messages, with the replacement character for what is not UTF-8.
std::string JsonStringInAscii(std::string_view text);

}  // namespace twofour
