#pragma once

#include <fmt/format.h>

#include <string>

#include "twofour/nn/name_pattern.h"

namespace twofour::nn {

/// Which linears the options of a swap name by two patterns (NamePattern).
class NameChoice {
 public:
  NameChoice(const std::string& include, const std::string& exclude)
      : include_text_(include), exclude_text_(exclude), include_("include", include), exclude_("exclude", exclude) {}

  /// The reason to leave a linear as it is, or nothing.
  std::string ReasonAgainst(const std::string& name) const {
    if (!include_.Matches(name)) return fmt::format("name does not match include '{}'", include_text_);
    if (exclude_text_.empty() || !exclude_.Matches(name)) return {};
    return fmt::format("name matches exclude '{}'", exclude_text_);
  }

 private:
  std::string include_text_, exclude_text_;
  NamePattern include_, exclude_;
};

}  // namespace twofour::nn
