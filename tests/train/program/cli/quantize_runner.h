#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/json.h"
#include "twofour/core/io/safetensors.h"

#include "tests/support/text_file.h"
#include "tests/train/program/cli/text_runner.h"

namespace twofour::test {

/// Trains a small GPT with layer norms as the run `dense`, and quantises runs.
class QuantizeRunner : public TextRunner {
 protected:
  /// [128, 32].
  static constexpr const char* kFc = "transformer.h.0.mlp.c_fc";
  static constexpr size_t kLinears = 12;  ///< Of two blocks.

  QuantizeRunner() : TextRunner("depth: 2 width: 32 heads: 2 sequence_length: 16 norm: LAYER bias: true", 30) {}

  void TrainDense(const std::vector<std::string>& more = {}) {
    const Outcome outcome = TrainOnText("dense", more);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
  /// Prunes the dense run with this pattern.
  void Prune(const std::string& out, const std::string& pattern) {
    const Outcome outcome =
        Run({"prune", "--run", Path("dense"), "--out", Path(out), "--method", "magnitude", "--pattern", pattern,
             "--include", "transformer.*", "--skip-evaluation", "--skip-output-errors"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
  Outcome Quantize(const std::string& run, const std::string& out, const std::vector<std::string>& more = {}) {
    return QuantizeTo("int8", run, out, more);
  }
  /// To weights of `kind`, by its name in options.
  Outcome QuantizeTo(const std::string& kind, const std::string& run, const std::string& out,
                     const std::vector<std::string>& more = {}) {
    return Run(Joined({"quantize", "--run", Path(run), "--out", Path(out), "--weights", kind}, more));
  }
  std::filesystem::path ModelFile(const std::string& run) { return dir_ / run / "model.safetensors"; }
  SafetensorsFile Read(const std::string& run) { return LoadSafetensors(FileSystem::Default(), ModelFile(run)); }
  void Write(const std::string& run, const SafetensorsFile& file) {
    SaveSafetensors(FileSystem::Default(), ModelFile(run), file.tensors, file.metadata);
  }
  double Loss(const std::string& run) {
    const Outcome outcome = Run({"evaluate", "--run", Path(run), "--json"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const auto json = JsonDocument::TryParse(outcome.out);
    return json ? json->root().Find("loss")->number() : std::nan("");
  }
  JsonDocument Report(const std::string& run) {
    return JsonDocument::Parse(ReadTextFile(dir_ / run / "quantization.json"), "quantization.json");
  }
};

}  // namespace twofour::test
