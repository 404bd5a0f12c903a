#include "twofour/train/program/report/run_group.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "twofour/core/error.h"
#include "twofour/train/data/text.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/report/config_difference.h"
#include "twofour/train/program/report/html.h"

namespace twofour::train {
namespace {

constexpr size_t kMaxName = 80;  // In characters. A page repeats a label many times.

/// For each of several groups of one name, how its config differs from the others': "interval=10". Empty if this is too
/// long for any of them.
std::vector<std::string> ShortDifferences(const std::vector<RunGroup*>& groups) {
  constexpr size_t kMaxLength = 48;
  std::vector<proto::Config> configs;
  for (const RunGroup* group : groups) configs.push_back(WithoutSeed(group->config()));
  std::vector<std::string> texts(groups.size());
  for (const FieldDifference& field : DifferingFields(configs)) {
    const std::string last = field.path.substr(field.path.rfind('.') + 1);
    for (size_t i = 0; i < texts.size(); ++i) {
      texts[i] += fmt::format("{}{}={}", texts[i].empty() ? "" : ", ", last,
                              field.values[i].empty() ? "none" : field.values[i]);
      if (texts[i].size() > kMaxLength) return {};
    }
  }
  return texts;
}

void LabelAlike(const std::vector<RunGroup*>& groups, std::set<std::string>& taken) {
  const std::vector<std::string> differences =
      groups.size() > 1 ? ShortDifferences(groups) : std::vector<std::string>();
  for (size_t i = 0; i < groups.size(); ++i) {
    RunGroup& group = *groups[i];
    const std::string name = Shortened(group.name, kMaxName);
    group.label = differences.empty() ? name : fmt::format("{} ({})", name, differences[i]);
    for (int number = 2; !taken.insert(group.label).second; ++number) {
      group.label = fmt::format("{} #{}", name, number);
    }
  }
}

}  // namespace

size_t RunGroup::finished() const {
  return static_cast<size_t>(std::ranges::count_if(runs, [](const RunRecord& run) { return run.finished; }));
}

std::string CountsOfOthers(const std::vector<RunGroup>& groups) {
  std::map<RunOutcome, size_t> counts;
  for (const RunGroup& group : groups) {
    for (const RunRecord& run : group.runs) counts[run.outcome] += run.finished ? 0 : 1;
  }
  std::string text;
  for (const auto& [outcome, count] : counts) {
    if (count > 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, NameOf(outcome));
  }
  return text;
}

std::vector<RunGroup> GroupRuns(std::vector<RunRecord> runs) {
  std::vector<RunGroup> groups;
  std::map<std::string, size_t> index;
  for (RunRecord& run : runs) {
    const auto [found, added] = index.emplace(ToText(WithoutSeed(run.config)), groups.size());
    if (added) groups.push_back({.name = run.config.name()});
    groups[found->second].runs.push_back(std::move(run));
  }
  std::map<std::string, std::vector<RunGroup*>> by_name;
  for (RunGroup& group : groups) by_name[group.name].push_back(&group);
  std::set<std::string> taken;
  // Unique names come first, because "a #2" may be one of them.
  for (auto& [name, alike] : by_name) {
    if (alike.size() == 1) LabelAlike(alike, taken);
  }
  for (auto& [name, alike] : by_name) {
    if (alike.size() > 1) LabelAlike(alike, taken);
  }
  return groups;
}

size_t FindGroup(const std::vector<RunGroup>& groups, const std::string& label) {
  if (label.empty()) return 0;
  const auto index_of = [&](const auto& group) { return static_cast<size_t>(group - groups.begin()); };
  const auto exact = std::ranges::find(groups, label, &RunGroup::label);
  if (exact != groups.end()) return index_of(exact);
  const auto named = std::ranges::find(groups, label, &RunGroup::name);
  if (named != groups.end() && std::ranges::count(groups, label, &RunGroup::name) == 1) return index_of(named);
  constexpr size_t kMaxNamed = 10;
  std::string known;
  for (size_t i = 0; i < std::min(groups.size(), kMaxNamed); ++i) {
    known += (i == 0 ? "" : ", ") + Quoted(groups[i].label);
  }
  if (groups.size() > kMaxNamed) known += ", ...";
  throw Error(fmt::format("--baseline {}: {}, expected one of {}", Quoted(label),
                          named == groups.end() ? "no such group" : "several groups have this name", known));
}

}  // namespace twofour::train
