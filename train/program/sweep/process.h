#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace twofour::train {

/// What to run as a child process.
struct ProcessSpec {
  std::filesystem::path executable;
  std::vector<std::string> arguments;  ///< Without the program's name.
  std::filesystem::path log;           ///< Where standard output and standard error go.
  bool append = false;                 ///< To what the log holds already.
};

/// A child process; an interface, as is what starts them, so that tests need none. One that still runs when it is
/// destroyed is killed.
class Process {
 public:
  virtual ~Process() = default;
  /// Nothing as long as it runs; 128+N where signal N ended it.
  virtual std::optional<int> ExitCode() = 0;
  virtual void Signal(int signal) = 0;
};

/// Starts child processes.
class ProcessLauncher {
 public:
  virtual ~ProcessLauncher() = default;
  /// Throws Error (a runtime failure) when the log cannot be written or the program not be started.
  virtual std::unique_ptr<Process> Start(const ProcessSpec& spec) = 0;

  /// The machine's own. Its children read nothing, are not reached by what a terminal sends to this process (Ctrl-C),
  /// and on Linux are killed when this process ends, however it ends.
  static ProcessLauncher& Default();
};

}  // namespace twofour::train
