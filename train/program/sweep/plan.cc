#include "twofour/train/program/sweep/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/note_fault.h"
#include "twofour/core/processors.h"
#include "twofour/train/program/config/overrides.h"
#include "twofour/train/program/config/prefix_lines.h"
#include "twofour/train/program/config/quantized_run.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/validate.h"
#include "twofour/train/program/sweep/assignments.h"
#include "twofour/train/program/sweep/references.h"
#include "twofour/train/program/sweep/sweep_config.h"
#include "twofour/train/program/sweep/variants.h"
#include "twofour/train/run_files.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

/// For each variant, the variants whose runs its runs need.
using Needs = std::vector<std::set<size_t>>;

/// The name is in quotes, so that it may have any characters.
std::string NameAssignment(const std::string& name) {
  std::string quoted;
  for (const char c : name) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return fmt::format("name=\"{}\"", quoted);
}

fs::path FolderOf(const fs::path& sweep_folder, const SweepVariant& variant, uint64_t seed) {
  return sweep_folder / variant.folder / fmt::format("seed-{}", seed);
}

std::string Where(const std::string& source, const SweepVariant& variant) {
  return fmt::format("{}: variant '{}'", source, variant.name);
}

/// Settles the run's assignments and resolves its config.
void Resolve(PlannedRun& run, const SweepPlan& plan, const AssignmentSources& sources, const std::string& where) {
  try {
    run.set = SettleAssignments(plan.base_config, run.set, sources);
    run.config = ConfigOfRun(plan.base_config, run.set, run.seed, plan.threads_per_run);
    if (!plan.has_begun) ValidateConfig(run.config);
  } catch (const Error& error) {
    throw Error(PrefixLines(where, error.what()), error.kind());
  }
}

Needs FindNeeds(const SweepVariants& variants, const std::string& source) {
  Needs needs(variants.all().size());
  for (size_t i = 0; i < needs.size(); ++i) {
    const std::string where = Where(source, variants.all()[i]);
    for (const std::string& assignment : variants.all()[i].set) {
      ReplaceReferences(assignment, where, [&](const std::string& name) {
        needs[i].insert(variants.FindFrom(i, name, fmt::format("{}: {}", where, assignment)));
        return std::string();
      });
    }
  }
  return needs;
}

/// Repeatedly removes the variants that need nothing that is left. What remains is in a circle or leads to one.
void RequireNoCycle(const SweepVariants& variants, Needs needs, const std::string& source) {
  std::vector<size_t> ready;
  std::vector<std::vector<size_t>> needed_by(needs.size());
  for (size_t i = 0; i < needs.size(); ++i) {
    for (const size_t need : needs[i]) needed_by[need].push_back(i);
    if (needs[i].empty()) ready.push_back(i);
  }
  while (!ready.empty()) {
    const size_t done = ready.back();
    ready.pop_back();
    for (const size_t next : needed_by[done]) {
      needs[next].erase(done);
      if (needs[next].empty()) ready.push_back(next);
    }
  }
  const auto stuck = std::ranges::find_if(needs, [](const std::set<size_t>& left) { return !left.empty(); });
  if (stuck == needs.end()) return;
  // Following the needs of anything that remains leads into the circle sooner or later.
  std::vector<size_t> path{static_cast<size_t>(stuck - needs.begin())};
  for (;;) {
    const size_t next = *needs[path.back()].begin();
    path.push_back(next);
    const auto first = std::ranges::find(path, next);
    if (first == path.end() - 1) continue;
    path.erase(path.begin(), first);
    break;
  }
  std::string circle = fmt::format("'{}'", variants.all()[path[0]].name);
  for (size_t i = 1; i < path.size(); ++i) {
    circle += fmt::format("{} '{}'", i == 1 ? " needs" : ", which needs", variants.all()[path[i]].name);
  }
  throw Error(fmt::format("{}: {}, expected runs that can be made one after the other", source, circle));
}

/// Throws Error if two runs have the same config except for its name, because a report would show them as different.
/// All `runs` must have the same seed.
void RequireDifferentConfigs(const std::vector<PlannedRun>& runs, const std::string& source) {
  std::map<std::string, std::string> variants;  // Names by config.
  for (const PlannedRun& run : runs) {
    proto::Config config = run.config;
    config.clear_name();
    const auto [found, added] = variants.emplace(ToText(config), run.variant);
    if (added) continue;
    throw Error(
        fmt::format("{}: variants '{}' and '{}' have one config and would be the same run twice, expected "
                    "different ones",
                    source, found->second, run.variant));
  }
}

std::vector<std::string> WordsOf(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

int ThreadsPerRun(const proto::Sweep& sweep) {
  if (sweep.threads_per_run() > 0 || !sweep.launcher().empty()) return sweep.threads_per_run();
  return std::max(CountProcessors().count / sweep.parallel_runs(), 1);
}

std::vector<uint64_t> Seeds(const proto::Sweep& sweep) {
  if (sweep.seed_size() == 0) return {1};
  return {sweep.seed().begin(), sweep.seed().end()};
}

/// Whether one of the runs exists.
bool HasBegun(const proto::Sweep& sweep, const SweepVariants& variants, const fs::path& folder) {
  for (const uint64_t seed : Seeds(sweep)) {
    const auto exists = [&](const SweepVariant& variant) {
      return FileSystem::Default().Exists(RunFiles{FolderOf(folder, variant, seed)}.config());
    };
    if (std::ranges::any_of(variants.all(), exists)) return true;
  }
  return false;
}

/// Adds all runs to the plan, those of each seed in the order of the variants.
void PlanRuns(const proto::Sweep& sweep, const SweepVariants& variants, const Needs& needs, const std::string& source,
              size_t from_command_line, SweepPlan& plan) {
  const AssignmentSources sources{sweep.set_size() - from_command_line, from_command_line};
  plan.has_begun = HasBegun(sweep, variants, plan.folder);
  for (const uint64_t seed : Seeds(sweep)) {
    const size_t first = plan.runs.size();
    for (size_t i = 0; i < variants.all().size(); ++i) {
      const SweepVariant& variant = variants.all()[i];
      const std::string where = Where(source, variant);
      PlannedRun run{variant.name, seed, FolderOf(plan.folder, variant, seed), {}, {}, {}};
      for (const std::string& assignment : variant.set) {
        run.set.push_back(ReplaceReferences(assignment, where, [&](const std::string& name) {
          // Absolute, so that the run's config is the same however the sweep's folder is spelled.
          const SweepVariant& needed = variants.all()[variants.FindFrom(i, name, where)];
          return fs::absolute(FolderOf(plan.folder, needed, seed)).lexically_normal().string();
        }));
      }
      run.set.push_back(NameAssignment(variant.name));
      for (const size_t need : needs[i]) run.needs.push_back(first + need);
      Resolve(run, plan, sources, where);
      plan.runs.push_back(std::move(run));
    }
    if (first == 0) RequireDifferentConfigs(plan.runs, source);
  }
}

}  // namespace

std::string PlannedRun::title() const { return fmt::format("{} seed {}", variant, seed); }

fs::path PlannedRun::log() const { return fs::path(folder) += ".log"; }

proto::Config ConfigOfRun(const proto::Config& base, const std::vector<std::string>& set, uint64_t seed, int threads) {
  proto::Config config = base;
  for (const std::string& assignment : set) ApplyOverride(config, assignment);
  config.set_seed(seed);
  config.set_threads(threads);
  config = WithDefaults(config);
  ValidateConfig(config, config);
  return config;
}

SweepPlan PlanSweep(const proto::Sweep& sweep, const std::string& source, const fs::path& folder,
                    size_t from_command_line) {
  auto [faults, has_variants] = FindSweepFaults(sweep, source);
  if (!has_variants || sweep.base().empty()) ThrowFaults(faults);
  SweepPlan plan{sweep.name(),
                 sweep.baseline(),
                 (fs::path(source).parent_path() / sweep.base()).lexically_normal(),
                 folder.empty() ? fs::path("runs") / sweep.name() : folder,
                 sweep.parallel_runs(),
                 faults.empty() ? ThreadsPerRun(sweep) : 1,
                 sweep.seconds_per_run(),
                 WordsOf(sweep.launcher())};
  std::optional<SweepVariants> variants;
  NoteFault(faults, [&] {
    plan.base_config = LoadTextConfig(plan.base.string());
    RequireNotQuantized(plan.base_config, plan.base.string());
    plan.base_config.clear_origin();  // The file may come from a branched run. The sweep's runs begin anew.
    variants.emplace(sweep, source, plan.base_config.name());
  });
  if (!variants) ThrowFaults(faults);
  NoteFault(faults, [&] {
    if (sweep.has_baseline()) variants->Find(sweep.baseline(), fmt::format("{}: baseline", source));
  });
  NoteFault(faults, [&] {
    const Needs needs = FindNeeds(*variants, source);
    RequireNoCycle(*variants, needs, source);
    PlanRuns(sweep, *variants, needs, source, from_command_line, plan);
  });
  ThrowFaults(faults);
  return plan;
}

}  // namespace twofour::train
