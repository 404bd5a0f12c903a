#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace twofour::train {

/// What the user asked for.
struct CommandLine {
  std::string config;            ///< --config
  std::vector<std::string> set;  ///< --set path=value, in order
  std::string out;               ///< --out; empty: runs/<name>, or with --resume the run's own folder
  std::string resume;            ///< --resume
  std::string from;              ///< retrain --from
  std::optional<bool> sparse;    ///< --sparse / --dense
  std::optional<int> threads;    ///< --threads
  std::optional<uint64_t> seed;  ///< --seed
  bool overwrite = false;
  bool accept_changed_data = false;
  bool print_config = false;
  bool dry_run = false;
};

/// Parses the arguments of `trainer` and of `trainer retrain`. Returns nothing if it printed the help or the version to
/// `out`, so that nothing is left to do. Throws Error on an unknown or malformed argument.
std::optional<CommandLine> ParseCommandLine(int argc, const char* const* argv, std::ostream& out);

}  // namespace twofour::train
