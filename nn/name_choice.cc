#include "twofour/nn/name_choice.h"

#include <fmt/format.h>

namespace twofour::nn {

NameChoice::NameChoice(const std::string& include, const std::string& exclude)
    : include_text_(include), exclude_text_(exclude), include_("include", include), exclude_("exclude", exclude) {}

std::string NameChoice::ReasonAgainst(const std::string& name) const {
  if (!include_.Matches(name)) return fmt::format("name does not match include '{}'", include_text_);
  if (exclude_text_.empty() || !exclude_.Matches(name)) return {};
  return fmt::format("name matches exclude '{}'", exclude_text_);
}

}  // namespace twofour::nn
