#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"

#include "tests/support/text_file.h"
#include "tests/train/program/cli/app_runner.h"

namespace twofour::test {

/// Trains small runs, and exports and imports weights.
class ExchangeRunner : public AppRunner {
 protected:
  /// Trains a classifier with a 2:4 weight [64, 64] and others.
  void Train(const std::string& name, std::vector<std::string> more = {}) {
    WriteTextFile(dir_ / "c.pbtxt", R"(
      model { residual_mlp { width: 64 hidden_features: 64 num_blocks: 1 } }
      data { glyphs { train_size: 64 eval_size: 32 } }
      training { steps: 4 batch_size: 16 }
      sparsity { enabled: true }
      checkpoint { every_steps: 2 }
      logging { tensorboard: false }
    )");
    std::vector<std::string> arguments = {"--config", Path("c.pbtxt"), "--out", Path(name)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = Run(arguments);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }

  Outcome Export(const std::string& run, const std::string& output, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"export", "--run", Path(run), "-o", Path(output)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  }

  Outcome Import(const std::string& from, const std::string& out, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"import", "--from", from, "--out", Path(out)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  }

  SafetensorsFile Read(const std::string& name) { return LoadSafetensors(FileSystem::Default(), dir_ / name); }

  static std::string Checkpoint(const std::string& name) {
    return (std::filesystem::path(TWOFOUR_SOURCE_DIR) / "tests" / "fixtures" / "checkpoints" / name).string();
  }
};

}  // namespace twofour::test
