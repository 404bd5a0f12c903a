#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "twofour/train/program/sweep/process.h"

#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour::test {

/// Runs the program as a process of its own, with a temporary folder.
class ProgramRunner : public ::testing::Test {
 protected:
  static constexpr const char* kTrainer = TWOFOUR_BINARY_DIR "/bin/trainer";

  ProgramRunner() {
    // Trains for a moment. Nothing is saved unless a test asks for it.
    WriteTextFile(dir_ / "tiny.pbtxt", R"(
      model { residual_mlp { width: 16 hidden_features: 32 num_blocks: 1 } }
      data { glyphs { train_size: 64 eval_size: 32 } }
      training { steps: 40 batch_size: 16 }
      sparsity { enabled: true }
      evaluation { every_steps: 1000000000 }
      checkpoint { every_steps: 0 }
      logging { every_steps: 10 tensorboard: false }
      threads: 1
    )");
  }

  std::string Path(const std::string& name) const { return (dir_ / name).string(); }
  std::string Log() const { return ReadTextFile(dir_ / "log"); }

  /// Starts `trainer` with these arguments. Its output goes to Log().
  std::unique_ptr<train::Process> Start(const std::vector<std::string>& arguments) {
    return train::ProcessLauncher::Default().Start({kTrainer, arguments, dir_ / "log", false});
  }
  /// Starts to train the tiny config into the folder `name`, with more arguments.
  std::unique_ptr<train::Process> StartTraining(const std::string& name, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"--config", Path("tiny.pbtxt"), "--out", Path(name)});
    return Start(more);
  }
  /// Starts a shell script in dir_. In the script, "$trainer" is the program.
  std::unique_ptr<train::Process> Shell(const std::string& script) {
    return train::ProcessLauncher::Default().Start(
        {"/bin/sh",
         {"-c", "cd '" + dir_.path().string() + "'; trainer='" + kTrainer + "'; " + script},
         dir_ / "log",
         false});
  }

  /// Returns whether the condition became true within a minute.
  static bool Await(const std::function<bool()>& condition) {
    for (int i = 0; i < 12000; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
  static int End(train::Process& process) {
    std::optional<int> code;
    Await([&] { return (code = process.ExitCode()).has_value(); });
    return code.value_or(-1);
  }
  /// Waits until a run has begun to train. Returns false if the process ends before.
  bool AwaitTraining(train::Process& process, const std::string& run) {
    const auto trains = [&] { return std::filesystem::exists(dir_ / run / "metrics.jsonl"); };
    return Await([&] { return trains() || process.ExitCode(); }) && trains();
  }

  TempDir dir_;
};

}  // namespace twofour::test
