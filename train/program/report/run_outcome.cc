#include "twofour/train/program/report/run_outcome.h"

#include <array>
#include <utility>

namespace twofour::train {
namespace {

// The names are on disk, in the records of sweeps.
constexpr std::array<std::pair<RunOutcome, std::string_view>, 8> kNames = {{{RunOutcome::kFinished, "finished"},
                                                                            {RunOutcome::kUnfinished, "unfinished"},
                                                                            {RunOutcome::kFailed, "failed"},
                                                                            {RunOutcome::kTimedOut, "timed out"},
                                                                            {RunOutcome::kInterrupted, "interrupted"},
                                                                            {RunOutcome::kUnderWay, "under way"},
                                                                            {RunOutcome::kNotStarted, "not started"},
                                                                            {RunOutcome::kSkipped, "skipped"}}};

}  // namespace

std::string_view NameOf(RunOutcome outcome) {
  for (const auto& [known, name] : kNames) {
    if (known == outcome) return name;
  }
  return "?";
}

std::optional<RunOutcome> OutcomeNamed(std::string_view name) {
  for (const auto& [outcome, known] : kNames) {
    if (known == name) return outcome;
  }
  return std::nullopt;
}

}  // namespace twofour::train
