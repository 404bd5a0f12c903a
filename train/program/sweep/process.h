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
  bool append = false;                 ///< Keeps what the log already holds.
};

/// Whether there is a program of this name: a file that may be executed, searched for in PATH if the name has no slash.
bool ProgramExists(const std::string& name);

/// A child process. It and its launcher are interfaces, so that tests need no processes. A process that still runs when
/// its object is destroyed is killed.
class Process {
 public:
  virtual ~Process() = default;
  /// Nothing while it runs; 128+N if signal N ended it.
  virtual std::optional<int> ExitCode() = 0;
  virtual void Signal(int signal) = 0;
};

/// Starts child processes.
class ProcessLauncher {
 public:
  virtual ~ProcessLauncher() = default;
  /// Throws Error (a runtime failure) if the log cannot be written or the program cannot be started.
  virtual std::unique_ptr<Process> Start(const ProcessSpec& spec) = 0;

  /// The launcher for real processes. Its children have empty input and are not reached by what a terminal sends to
  /// this process (Ctrl-C). On Linux they are killed when this process ends, however it ends.
  static ProcessLauncher& Default();
};

}  // namespace twofour::train
