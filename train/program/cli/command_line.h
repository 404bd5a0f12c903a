#pragma once

#include <iosfwd>
#include <optional>
#include <string>

#include "twofour/train/program/start/config_changes.h"

namespace twofour::train {

/// What the user asked for.
struct CommandLine {
  std::string config;  ///< --config
  std::string out;     ///< --out; empty: runs/<name>, or with --resume the run's own folder
  std::string resume;  ///< --resume
  std::string from;    ///< retrain --from, finetune --from
  bool finetune = false;
  ConfigChanges changes;
  bool overwrite = false;
  bool accept_changed_data = false;
  bool accept_idle_fields = false;
  bool print_config = false;
  bool dry_run = false;
};

/// Parses the arguments of `trainer`, `trainer retrain` and `trainer finetune`. Returns nothing if it printed the help
/// or the version to `out`, so that nothing is left to do. Throws Error on an unknown or malformed argument.
std::optional<CommandLine> ParseCommandLine(int argc, const char* const* argv, std::ostream& out);

}  // namespace twofour::train
