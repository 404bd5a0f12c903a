#include "twofour/train/program/sweep/assignments.h"

#include <fmt/format.h>

#include <algorithm>

#include "twofour/core/error.h"
#include "twofour/train/program/config/override_list.h"
#include "twofour/train/program/config/text_config.h"

namespace twofour::train {
namespace {

enum class Source { kFile, kCommandLine, kAxes };

Source SourceOf(size_t index, const AssignmentSources& sources) {
  if (index < sources.file) return Source::kFile;
  return index < sources.file + sources.command_line ? Source::kCommandLine : Source::kAxes;
}

/// Whether one assignment may undo another in this way.
bool IsMeant(const UndoneOverride& undone, const AssignmentSources& sources) {
  const Source earlier = SourceOf(undone.earlier, sources), later = SourceOf(undone.later, sources);
  if (earlier != later) return earlier == Source::kFile && undone.how != UndoneOverride::How::kWiped;
  return later == Source::kCommandLine && undone.how == UndoneOverride::How::kReplaced;
}

bool IsTakenByTheCommandLine(const OverrideTrace& trace) {
  return std::ranges::all_of(trace.undone,
                             [](const UndoneOverride& undone) { return undone.how == UndoneOverride::How::kReplaced; });
}

std::string Named(const std::vector<std::string>& set, size_t index, const AssignmentSources& sources) {
  const bool typed = SourceOf(index, sources) == Source::kCommandLine;
  return fmt::format("{}{}", typed ? "--set " : "", set[index]);
}

[[noreturn]] void Fail(const UndoneOverride& undone, const std::vector<std::string>& set,
                       const AssignmentSources& sources) {
  throw Error(fmt::format("{} undoes {} of {}, expected assignments that hold together",
                          Named(set, undone.later, sources), undone.field, Named(set, undone.earlier, sources)));
}

}  // namespace

std::vector<std::string> SettleAssignments(const proto::Config& base, const std::vector<std::string>& set,
                                           const AssignmentSources& sources) {
  proto::Config config = base;
  const OverrideTrace trace = TraceOverrides(config, set);
  for (const UndoneOverride& undone : trace.undone) {
    if (!IsMeant(undone, sources)) Fail(undone, set, sources);
  }
  if (IsTakenByTheCommandLine(trace)) return set;
  std::vector<std::string> left;
  for (size_t i = 0; i < set.size(); ++i) {
    if (trace.holds[i]) left.push_back(set[i]);
  }
  // This fails if an overridden assignment still sets something and cannot be dropped, or if a dropped one had emptied
  // a message, which changes the config.
  proto::Config again = base;
  const bool taken = IsTakenByTheCommandLine(TraceOverrides(again, left));
  if (!taken || ToText(again) != ToText(config)) {
    const auto switched = std::ranges::find(trace.undone, UndoneOverride::How::kSwitched, &UndoneOverride::how);
    Fail(*switched, set, sources);
  }
  return left;
}

}  // namespace twofour::train
