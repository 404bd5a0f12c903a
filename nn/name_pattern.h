#pragma once

#include <memory>
#include <optional>
#include <string>

#include "twofour/core/faults.h"

namespace twofour::nn {

/// An ECMAScript regular expression that a whole name must match: ".*\.mlp\..*". It has its own file because `<regex>`
/// is slow to compile.
class NamePattern {
 public:
  /// Throws Error that begins with `what` if `pattern` is no regular expression or is longer than 1000 characters. The
  /// limit exists because std::regex recurses, and thousands of brackets would overflow the stack.
  NamePattern(const std::string& what, const std::string& pattern);
  ~NamePattern();

  bool Matches(const std::string& name) const;
  /// `format` with $1 to $9 replaced by what the brackets of the pattern matched, and $$ by $; nothing if the name does
  /// not match.
  std::optional<std::string> Replace(const std::string& name, const std::string& format) const;

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
};

/// Notes as a fault what NamePattern would throw.
void CheckPattern(const std::string& path, const std::string& pattern, Faults& faults);

}  // namespace twofour::nn
