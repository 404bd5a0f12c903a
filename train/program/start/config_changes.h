#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config.pb.h"

namespace twofour::train {

/// The changes that a command line makes to a config.
struct ConfigChanges {
  std::vector<std::string> set = {};  ///< --set path=value, in order.
  // These options take precedence over `set`:
  std::optional<bool> sparse = {};    ///< --sparse / --dense
  std::optional<int> threads = {};    ///< --threads
  std::optional<uint64_t> seed = {};  ///< --seed
};

/// The config with the changes and with all defaults filled in, but not validated. Throws Error as ApplyOverrides does.
proto::Config Changed(proto::Config config, const ConfigChanges& changes);

/// The same of a run's config, to go on with the run: where the changes turn to a precision without `low_precision`,
/// what the run had there goes, unless the changes name it.
proto::Config ChangedRun(const proto::Config& stored, const ConfigChanges& changes);

/// Notes for the user: one line for each change that a later one replaces.
std::vector<std::string> NotesOf(const ConfigChanges& changes);

}  // namespace twofour::train
