#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "twofour/core/io/json.h"

namespace twofour {

/// Reads the members of one JSON object of a file that may come from anywhere. Each function throws Error, beginning
/// with `where`, if the member is missing or of another kind.
class JsonFields {
 public:
  /// Throws Error if `json` is no object. The document must outlive this.
  JsonFields(const JsonValue& json, std::string where);

  JsonValue Get(const char* key) const;
  std::string Text(const char* key) const;
  /// Empty if there is none.
  std::string TextIfAny(const char* key) const;
  double Number(const char* key) const;
  /// A whole number that is not negative.
  uint64_t Count(const char* key) const;
  std::vector<JsonValue> List(const char* key) const;
  /// The elements of a list of texts.
  std::vector<std::string> Texts(const char* key) const;
  [[noreturn]] void Fail(const std::string& what) const;

 private:
  std::string TextOf(const JsonValue& value, const char* key) const;

  JsonValue json_;
  std::string where_;
};

}  // namespace twofour
