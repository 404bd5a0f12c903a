#include "twofour/train/program/sweep/sweep_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/note_fault.h"
#include "twofour/core/quote_for_message.h"
#include "twofour/train/program/config/text_message.h"

namespace twofour::train {
namespace {

constexpr int kMaxParallelRuns = 256;
constexpr int kMaxThreads = 1024;
constexpr double kMaxSeconds = 1e9;
/// Fields that only the sweep itself sets.
constexpr std::array<std::string_view, 3> kOwnFields = {"name", "seed", "threads"};

/// Whether a name can be a folder's name and stand in a report: it must have no slashes or control characters.
bool NamesAFolder(const std::string& name) {
  const auto unfit = [](char c) { return c == '/' || static_cast<unsigned char>(c) < ' ' || c == '\x7f'; };
  return !name.empty() && name != "." && name != ".." && std::ranges::none_of(name, unfit);
}

class SweepChecks {
 public:
  SweepChecks(const proto::Sweep& sweep, const std::string& source) : sweep_(sweep), source_(source) {}

  SweepFaults Check() {
    if (!NamesAFolder(sweep_.name())) Fault("name", fmt::format("'{}', expected a folder's name", sweep_.name()));
    if (sweep_.base().empty()) Fault("base", "missing, expected a config file");
    InRange("parallel_runs", sweep_.parallel_runs(), 1, kMaxParallelRuns);
    InRange("threads_per_run", sweep_.threads_per_run(), 0, kMaxThreads);
    const double seconds = sweep_.seconds_per_run();
    if (!(seconds >= 0 && seconds <= kMaxSeconds)) {
      Fault("seconds_per_run", fmt::format("{}, expected 0 to {}", seconds, kMaxSeconds));
    }
    CheckLauncher();
    CheckSeeds();
    CheckAssignments("set", sweep_.set());
    const size_t others = lines_.size();
    for (int i = 0; i < sweep_.axis_size(); ++i) CheckAxis(fmt::format("axis {}", i + 1), sweep_.axis(i));
    CheckFieldsOfAxes();
    CheckCount();
    return {lines_, lines_.size() == others};
  }

 private:
  /// No shell reads it, so quotes would reach the launcher as they are.
  void CheckLauncher() {
    const std::string& launcher = sweep_.launcher();
    if (launcher.find_first_of("'\"\\$`") == std::string::npos &&
        (!sweep_.has_launcher() || launcher.find_first_not_of(" \t\n") != std::string::npos)) {
      return;
    }
    Fault("launcher", fmt::format("{}, expected words between blanks, without quotes", QuoteForMessage(launcher)));
  }

  void Fault(const std::string& where, const std::string& what) {
    lines_.push_back(fmt::format("{}: {}: {}", source_, where, what));
  }

  void InRange(const std::string& where, int value, int low, int high) {
    if (value < low || value > high) Fault(where, fmt::format("{}, expected {} to {}", value, low, high));
  }

  void CheckSeeds() {
    std::set<uint64_t> seen;
    for (const uint64_t seed : sweep_.seed()) {
      if (!seen.insert(seed).second) Fault("seed", fmt::format("{} twice, expected each seed once", seed));
    }
  }

  template <typename Assignments>
  void CheckAssignments(const std::string& where, const Assignments& assignments) {
    for (const std::string& assignment : assignments) CheckField(where, assignment.substr(0, assignment.find('=')));
  }

  void CheckField(const std::string& where, const std::string& path) {
    if (std::ranges::find(kOwnFields, path) == kOwnFields.end()) return;
    Fault(where, fmt::format("'{}' is set by the sweep itself, expected another field", path));
  }

  void CheckAxis(const std::string& where, const proto::Axis& axis) {
    const bool has_field = axis.has_field() || axis.value_size() > 0;
    if (has_field && axis.variant_size() > 0) return Fault(where, "both, expected a field with values or variants");
    if (!has_field && axis.variant_size() == 0) return Fault(where, "empty, expected a field with values or variants");
    has_field ? CheckValues(where, axis) : CheckVariants(where, axis);
  }

  void CheckFieldsOfAxes() {
    std::map<std::string, int> axes;  // Axes by field.
    for (int i = 0; i < sweep_.axis_size(); ++i) {
      const std::string& field = sweep_.axis(i).field();
      if (field.empty()) continue;
      const auto [found, added] = axes.emplace(field, i);
      if (added) continue;
      Fault(fmt::format("axis {}", i + 1),
            fmt::format("'{}' is the field of axis {}, too, expected another", field, found->second + 1));
    }
  }

  void CheckValues(const std::string& where, const proto::Axis& axis) {
    if (axis.field().empty()) return Fault(where, "values without a field, expected field: \"learning_rate.lr\"");
    if (axis.value_size() == 0) Fault(where, fmt::format("'{}' has no values, expected at least one", axis.field()));
    CheckField(where, axis.field());
    std::set<std::string> seen;
    for (const std::string& value : axis.value()) {
      if (!seen.insert(value).second) Fault(where, fmt::format("value '{}' twice, expected each once", value));
    }
  }

  void CheckVariants(const std::string& where, const proto::Axis& axis) {
    std::set<std::string> seen;
    for (const proto::Variant& variant : axis.variant()) {
      const std::string& name = variant.name();
      if (!NamesAFolder(name)) Fault(where, fmt::format("variant '{}', expected a folder's name", name));
      if (!seen.insert(name).second) Fault(where, fmt::format("variant '{}' twice, expected different names", name));
      CheckAssignments(fmt::format("{}: variant '{}'", where, name), variant.set());
    }
  }

  void CheckCount() {
    int64_t runs = std::max(sweep_.seed_size(), 1);
    for (const proto::Axis& axis : sweep_.axis()) {
      runs *= std::max(axis.value_size() + axis.variant_size(), 1);
      // Checked in the loop, because the product for a very large file could overflow.
      if (runs > kMaxSweepRuns) return Fault("axis", fmt::format("more than {} runs in all", kMaxSweepRuns));
    }
    if (runs > kMaxSweepRuns) Fault("seed", fmt::format("more than {} runs in all", kMaxSweepRuns));
  }

  const proto::Sweep& sweep_;
  const std::string& source_;
  std::vector<std::string> lines_;
};

}  // namespace

proto::Sweep LoadSweep(const std::string& path) {
  proto::Sweep sweep;
  LoadTextMessage(path, sweep);
  if (!sweep.has_name()) sweep.set_name(std::filesystem::path(path).stem().string());
  return sweep;
}

SweepFaults FindSweepFaults(const proto::Sweep& sweep, const std::string& source) {
  return SweepChecks(sweep, source).Check();
}

void ValidateSweep(const proto::Sweep& sweep, const std::string& source) {
  const SweepFaults faults = FindSweepFaults(sweep, source);
  ThrowFaults(faults.lines);
}

}  // namespace twofour::train
