#include "twofour/train/program/exchange/name_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/quote_for_message.h"
#include "twofour/nn/name_pattern.h"
#include "twofour/train/program/config/text_message.h"

namespace twofour::train {
namespace {

struct CompiledRule {
  std::unique_ptr<nn::NamePattern> from;
  const proto::NameRule& rule;
};

std::vector<CompiledRule> Compile(const proto::NameMap& map, const std::string& source) {
  std::vector<CompiledRule> rules;
  for (int i = 0; i < map.rule_size(); ++i) {
    const std::string where = fmt::format("{}: rule {}", source, i + 1);
    const proto::NameRule& rule = map.rule(i);
    if (rule.from().empty()) throw Error(where + ": from is missing, expected a regular expression");
    if (rule.to_size() == 0) throw Error(where + ": to is missing, expected the name of a parameter");
    rules.push_back({std::make_unique<nn::NamePattern>(where + ": from", rule.from()), rule});
  }
  return rules;
}

TensorMatch MatchOf(const std::string& name, const std::vector<CompiledRule>& rules) {
  for (const CompiledRule& compiled : rules) {
    if (!compiled.from->Matches(name)) continue;
    TensorMatch match{.theirs = name, .ours = {}, .transposed = compiled.rule.transpose()};
    for (const std::string& to : compiled.rule.to()) match.ours.push_back(*compiled.from->Replace(name, to));
    return match;
  }
  return {.theirs = name, .ours = {name}};
}

}  // namespace

MappedNames ApplyNameMap(const proto::NameMap& map, const std::vector<std::string>& theirs, const std::string& source) {
  const std::vector<CompiledRule> rules = Compile(map, source);
  std::vector<std::unique_ptr<nn::NamePattern>> skips;
  for (const std::string& skip : map.skip()) {
    skips.push_back(std::make_unique<nn::NamePattern>(fmt::format("{}: skip", source), skip));
  }
  MappedNames mapped;
  std::map<std::string, std::string> made_of;
  for (const std::string& name : theirs) {
    if (std::ranges::any_of(skips, [&](const auto& skip) { return skip->Matches(name); })) {
      mapped.skipped.push_back(name);
      continue;
    }
    TensorMatch match = MatchOf(name, rules);
    for (const std::string& ours : match.ours) {
      const auto [before, is_new] = made_of.emplace(ours, name);
      if (is_new) continue;
      throw Error(fmt::format("{}: {} and {} both become {}", source, QuoteForMessage(before->second),
                              QuoteForMessage(name), QuoteForMessage(ours)));
    }
    mapped.matches.push_back(std::move(match));
  }
  return mapped;
}

MappedNames ApplyNameMapFile(const std::string& path, const std::vector<std::string>& theirs) {
  proto::NameMap map;
  LoadTextMessage(path, map);
  return ApplyNameMap(map, theirs, path);
}

}  // namespace twofour::train
