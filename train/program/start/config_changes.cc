#include "twofour/train/program/start/config_changes.h"

#include <fmt/format.h>

#include <algorithm>

#include "twofour/train/program/config/build_low_precision.h"
#include "twofour/train/program/config/override_list.h"
#include "twofour/train/program/config/text_config.h"

namespace twofour::train {
namespace {

/// Whether an assignment gives the field itself, one inside of it, or the message around it.
bool NamesLowPrecision(const std::string& assignment) {
  const std::string path = assignment.substr(0, assignment.find('='));
  const std::string field = "training.low_precision";
  return path == "training" || path == field || path.starts_with(field + ".");
}

}  // namespace

proto::Config Changed(proto::Config config, const ConfigChanges& changes) {
  ApplyOverrides(config, changes.set);
  if (changes.sparse) config.mutable_sparsity()->set_enabled(*changes.sparse);
  if (changes.threads) config.set_threads(*changes.threads);
  if (changes.seed) config.set_seed(*changes.seed);
  return WithDefaults(config);
}

proto::Config ChangedRun(const proto::Config& stored, const ConfigChanges& changes) {
  proto::Config config = Changed(stored, changes);
  const bool leaves = BuildLowPrecision(stored).has_value() && !BuildLowPrecision(config).has_value();
  if (!leaves || std::ranges::any_of(changes.set, NamesLowPrecision)) return config;
  config.mutable_training()->clear_low_precision();
  return WithDefaults(config);
}

std::vector<std::string> NotesOf(const ConfigChanges& changes) {
  std::vector<OptionOverride> options;
  const auto add = [&options](const std::string& option, const std::string& field, const auto& value) {
    options.push_back({option, fmt::format("{}={}", field, value)});
  };
  if (changes.sparse) add(*changes.sparse ? "--sparse" : "--dense", "sparsity.enabled", *changes.sparse);
  if (changes.threads) add(fmt::format("--threads {}", *changes.threads), "threads", *changes.threads);
  if (changes.seed) add(fmt::format("--seed {}", *changes.seed), "seed", *changes.seed);
  return NoteOverrides(changes.set, options);
}

}  // namespace twofour::train
