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

/// Trains a small GPT as the run `dense`, and prunes runs.
class PruneRunner : public TextRunner {
 protected:
  /// The first of the linears that are pruned: [128, 32].
  static constexpr const char* kFc = "transformer.h.0.mlp.c_fc";

  PruneRunner() : TextRunner("depth: 2 width: 32 heads: 2 sequence_length: 16", 30) {}

  void TrainDense(const std::vector<std::string>& more = {}) {
    const Outcome outcome = TrainOnText("dense", more);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
  Outcome Prune(const std::string& run, const std::string& out, const std::vector<std::string>& more) {
    return Run(Joined({"prune", "--run", Path(run), "--out", Path(out)}, more));
  }
  SafetensorsFile Read(const std::string& run) {
    return LoadSafetensors(FileSystem::Default(), dir_ / run / "model.safetensors");
  }
  double Loss(const std::string& run) {
    const Outcome outcome = Run({"evaluate", "--run", Path(run), "--json"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const auto json = JsonDocument::TryParse(outcome.out);
    return json ? json->root().Find("loss")->number() : std::nan("");
  }
  JsonDocument Report(const std::string& run) {
    return JsonDocument::Parse(ReadTextFile(dir_ / run / "pruning.json"), "pruning.json");
  }
  /// The share of a weight that is zero.
  double Zeros(const std::string& run, const std::string& linear) {
    const Tensor weight = Read(run).Find(linear + ".weight")->To(DType::kF64);
    const double* const data = weight.data<double>();
    return static_cast<double>(std::count(data, data + weight.numel(), 0.0)) / static_cast<double>(weight.numel());
  }
};

}  // namespace twofour::test
