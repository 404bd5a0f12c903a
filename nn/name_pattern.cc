#include "twofour/nn/name_pattern.h"

#include <fmt/format.h>

#include <regex>

#include "twofour/core/error.h"

namespace twofour::nn {

struct NamePattern::Compiled {
  std::regex regex;
};

NamePattern::NamePattern(const std::string& what, const std::string& pattern) {
  constexpr size_t kMaxPattern = 1000;
  if (pattern.size() > kMaxPattern) {
    throw Error(fmt::format("{}: {} characters, expected at most {}", what, pattern.size(), kMaxPattern));
  }
  try {
    compiled_ = std::make_unique<Compiled>(Compiled{std::regex(pattern, std::regex::ECMAScript)});
  } catch (const std::regex_error& error) {
    throw Error(fmt::format("{}: '{}', expected a regular expression: {}", what, pattern, error.what()));
  }
}

NamePattern::~NamePattern() = default;

bool NamePattern::Matches(const std::string& name) const { return std::regex_match(name, compiled_->regex); }

std::optional<std::string> NamePattern::Replace(const std::string& name, const std::string& format) const {
  std::smatch match;
  if (!std::regex_match(name, match, compiled_->regex)) return std::nullopt;
  return match.format(format);
}

void CheckPattern(const std::string& path, const std::string& pattern, Faults& faults) {
  try {
    const NamePattern compiled(faults.Where(path), pattern);
  } catch (const Error& error) {
    faults.Add(path, error.what());
  }
}

}  // namespace twofour::nn
