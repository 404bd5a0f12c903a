#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/io/json.h"

namespace twofour::train {

/// The fields of a JSON object that another program wrote and that need not be trustworthy. A field that is null counts
/// as missing. Each function throws Error, beginning with the file's name and the field's path, where a value has
/// another type, and where it is missing and has no default.
class ConfigFields {
 public:
  /// `path` is that of an object inside others: "rope_scaling.". The document must outlive this.
  ConfigFields(const JsonValue& object, std::string source, std::string path = "");

  int64_t Integer(std::string_view name, std::optional<int64_t> if_missing = std::nullopt) const;
  double Number(std::string_view name, std::optional<double> if_missing = std::nullopt) const;
  bool Boolean(std::string_view name, bool if_missing) const;
  std::string Text(std::string_view name, std::optional<std::string> if_missing = std::nullopt) const;
  /// An integer or several; none if the field is missing.
  std::vector<int64_t> Integers(std::string_view name) const;
  /// The fields of an object within; nothing if it is missing.
  std::optional<ConfigFields> Object(std::string_view name) const;

  /// Throws Error if the field is there and not `only`.
  void RequireOnly(std::string_view name, bool only) const;
  /// Throws Error: "config.json: rope_scaling.factor " and `what`.
  [[noreturn]] void Fail(std::string_view name, std::string_view what) const;

 private:
  std::optional<JsonValue> Find(std::string_view name) const;
  template <typename T, typename Read>
  T Get(std::string_view name, const std::optional<T>& if_missing, std::string_view expected, const Read& read) const;

  JsonValue object_;
  std::string source_, path_;
};

/// Parses a JSON object of at most 64 levels. Throws Error, beginning with `source`, on anything else.
JsonDocument ParseConfigObject(std::string_view json, const std::string& source);

}  // namespace twofour::train
