#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config.pb.h"

namespace twofour::train {

/// What a command line changes in a config.
struct ConfigChanges {
  std::vector<std::string> set = {};  ///< --set path=value, in order.
  // Options that win over `set`:
  std::optional<bool> sparse = {};    ///< --sparse / --dense
  std::optional<int> threads = {};    ///< --threads
  std::optional<uint64_t> seed = {};  ///< --seed
};

/// The config with the changes, and all defaults filled in; not validated. Throws Error as ApplyOverrides does.
proto::Config Changed(proto::Config config, const ConfigChanges& changes);

/// A line for each of the changes that a later one replaces.
std::vector<std::string> NotesOf(const ConfigChanges& changes);

}  // namespace twofour::train
