#include "twofour/train/program/start/config_changes.h"

#include <fmt/format.h>

#include "twofour/train/program/config/override_list.h"
#include "twofour/train/program/config/text_config.h"

namespace twofour::train {

proto::Config Changed(proto::Config config, const ConfigChanges& changes) {
  ApplyOverrides(config, changes.set);
  if (changes.sparse) config.mutable_sparsity()->set_enabled(*changes.sparse);
  if (changes.threads) config.set_threads(*changes.threads);
  if (changes.seed) config.set_seed(*changes.seed);
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
