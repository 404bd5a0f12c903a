#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/text_file.h"
#include "tests/train/program/cli/app_runner.h"

namespace twofour::test {

/// An AppRunner with a config. It trains the config into run folders beside it.
class ConfigRunner : public AppRunner {
 protected:
  explicit ConfigRunner(const std::string& config, const std::string& file = "tiny.pbtxt") : config_(dir_ / file) {
    WriteTextFile(config_, config);
  }

  /// Trains the config, with more arguments, into the run folder `name`.
  Outcome Train(const std::string& name, const std::vector<std::string>& more = {}) {
    return Run(Joined({"--config", config_.string(), "--out", Path(name)}, more));
  }

  Outcome Resume(const std::string& name, const std::vector<std::string>& more = {}) {
    return Run(Joined({"--resume", Path(name)}, more));
  }

  /// Arguments that set these fields: "--set a.b=1" for each "a.b=1".
  static std::vector<std::string> Set(const std::vector<std::string>& settings) {
    std::vector<std::string> arguments;
    for (const std::string& setting : settings) arguments.insert(arguments.end(), {"--set", setting});
    return arguments;
  }

  static std::vector<std::string> Joined(std::vector<std::string> arguments, const std::vector<std::string>& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  /// The bytes of a run's final model.
  std::string Model(const std::string& run) { return ReadTextFile(dir_ / run / "model.safetensors"); }

 private:
  const std::filesystem::path config_;
};

}  // namespace twofour::test
