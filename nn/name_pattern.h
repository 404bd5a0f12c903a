#pragma once

#include <memory>
#include <optional>
#include <string>

#include "twofour/core/faults.h"

namespace re2 {
class RE2;
}

namespace twofour::nn {

/// A regular expression in RE2's syntax that a whole name must match: ".*\.mlp\..*". It has neither look-ahead nor
/// back-references (https://github.com/google/re2/wiki/Syntax). So matching takes time linear in the name, whatever the
/// expression is: it may come from a file of others.
class NamePattern {
 public:
  /// Throws Error that begins with `what` if `pattern` is no regular expression, has more than 50000 characters, or
  /// would take several MiB.
  NamePattern(const std::string& what, const std::string& pattern);
  ~NamePattern();

  bool Matches(const std::string& name) const;
  /// `format` with $1 to $9 replaced by what the brackets of the pattern matched, and $$ by $; nothing if the name does
  /// not match.
  std::optional<std::string> Replace(const std::string& name, const std::string& format) const;

 private:
  std::unique_ptr<const re2::RE2> compiled_;
};

/// Notes as a fault what NamePattern would throw.
void CheckPattern(const std::string& path, const std::string& pattern, Faults& faults);

}  // namespace twofour::nn
