#include "twofour/nn/name_pattern.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/quote_for_message.h"

namespace twofour::nn {

using re2::RE2;

NamePattern::NamePattern(const std::string& what, const std::string& pattern) {
  constexpr size_t kMaxPattern = 50'000;  // Enough for a list of the linears of a large model.
  if (pattern.size() > kMaxPattern) {
    throw Error(fmt::format("{}: {} characters, expected at most {}", what, pattern.size(), kMaxPattern));
  }
  RE2::Options options(RE2::Quiet);  // Nothing goes to the standard error.
  options.set_max_mem(8 << 20);
  compiled_ = std::make_unique<const RE2>(pattern, options);
  if (compiled_->ok()) return;
  throw Error(fmt::format("{}: {}, expected a regular expression; RE2 says {}", what, QuoteForMessage(pattern),
                          QuoteForMessage(compiled_->error())));
}

NamePattern::~NamePattern() = default;

bool NamePattern::Matches(const std::string& name) const { return RE2::FullMatch(name, *compiled_); }

std::optional<std::string> NamePattern::Replace(const std::string& name, const std::string& format) const {
  std::vector<re2::StringPiece> groups(1 + static_cast<size_t>(compiled_->NumberOfCapturingGroups()));
  if (!compiled_->Match(name, 0, name.size(), RE2::ANCHOR_BOTH, groups.data(), static_cast<int>(groups.size()))) {
    return std::nullopt;
  }
  std::string replaced;
  for (size_t i = 0; i < format.size(); ++i) {
    const char next = format[i] == '$' && i + 1 < format.size() ? format[i + 1] : '\0';
    if (next == '$') {
      replaced += '$';
      ++i;
    } else if (next >= '1' && next <= '9') {
      const auto group = static_cast<size_t>(next - '0');
      if (group < groups.size()) replaced.append(groups[group].data(), groups[group].size());
      ++i;
    } else {
      replaced += format[i];
    }
  }
  return replaced;
}

void CheckPattern(const std::string& path, const std::string& pattern, Faults& faults) {
  try {
    const NamePattern compiled(faults.Where(path), pattern);
  } catch (const Error& error) {
    faults.Add(path, error.what());
  }
}

}  // namespace twofour::nn
