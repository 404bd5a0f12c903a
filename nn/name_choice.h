#pragma once

#include <string>

#include "twofour/nn/name_pattern.h"

namespace twofour::nn {

/// Which linears the options of a swap name by two patterns (NamePattern).
class NameChoice {
 public:
  /// An empty `exclude` excludes nothing. Throws Error as NamePattern does.
  NameChoice(const std::string& include, const std::string& exclude);

  /// The reason to leave a linear as it is, or nothing.
  std::string ReasonAgainst(const std::string& name) const;

 private:
  std::string include_text_, exclude_text_;
  NamePattern include_, exclude_;
};

}  // namespace twofour::nn
