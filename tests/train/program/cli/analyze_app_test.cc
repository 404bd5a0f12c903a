// `trainer analyze` on runs and on files of others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/core/processor_name.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/mask_of_pattern.h"
#include "twofour/sparse/pruning_pattern.h"

#include "tests/support/folder_snapshot.h"
#include "tests/support/tensors.h"
#include "tests/train/program/cli/exchange_runner.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::FailsWith;
using test::Outcome;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class AnalyzeAppTest : public test::ExchangeRunner {
 protected:
  Outcome Analyze(const std::string& name, std::vector<std::string> more = {"--skip-measurement"}) {
    std::vector<std::string> arguments = {"analyze", Path(name)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  }

  /// The lines of --json. The last one is about all linears.
  std::vector<nlohmann::json> Json(const std::string& name, std::vector<std::string> more = {"--skip-measurement"}) {
    more.push_back("--json");
    const Outcome outcome = Analyze(name, more);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    std::vector<nlohmann::json> found;
    std::istringstream lines(outcome.out);
    for (std::string line; std::getline(lines, line);) found.push_back(nlohmann::json::parse(line));
    return found;
  }

  void Write(const std::string& name, const std::vector<NamedTensor>& tensors) {
    SaveSafetensors(FileSystem::Default(), dir_ / name, tensors);
  }
};

Tensor Pruned(const char* pattern, int64_t rows, int64_t cols) {
  const Tensor weight = test::RandomAwayFromZero({rows, cols}, {.seed = 5, .stream = 0}).To(DType::kF32);
  return sparse::ApplyMask(weight, sparse::FindMaskOf(weight, sparse::ParsePruningPattern(pattern, "test")));
}

TEST_F(AnalyzeAppTest, ARunWithMasksAndADenseOne) {
  Train("run");
  Train("dense", {"--dense"});
  const Outcome sparse = Analyze("run");
  EXPECT_EQ(sparse.code, 0) << sparse.err;
  EXPECT_THAT(sparse.out,
              AllOf(StartsWith(Path("run/model.safetensors") + ": 4 linears; "), HasSubstr(" tensors left out (embed"),
                    HasSubstr(ProcessorName()), HasSubstr("nothing is measured; "),
                    ContainsRegex("\"blocks.0.mlp.c_fc.weight\" +F32 masked +\\[64, 64\\] +0.5000 +16384 +2:4: 8704 "
                                  "\\(0.531\\)  transposable:2:4; 2:4 along rows; 2:4 along columns\n"),
                    HasSubstr("\nrecommendation: none, because nothing was measured\n"), Not(HasSubstr(" ms"))));
  const Outcome dense = Analyze("dense");
  EXPECT_THAT(dense.out, ContainsRegex("\"blocks.0.mlp.c_fc.weight\" +F32 +\\[64, 64\\] +0.0000 +16384 +-\n"));
  // Checkpoints and files are found as `inspect` finds them.
  EXPECT_THAT(Analyze("run/checkpoints/step-2").out, StartsWith(Path("run/checkpoints/step-2/model.safetensors: 4 ")));
  EXPECT_EQ(Analyze("run/model.safetensors").out, sparse.out);
}

TEST_F(AnalyzeAppTest, APackedFileIsTheSameWeights) {
  Train("run");
  ASSERT_EQ(Export("run", Path("packed"), {"--format", "packed"}).code, 0);
  auto of_run = Json("run"), of_file = Json("packed");
  ASSERT_EQ(of_run.size(), 5u);
  ASSERT_EQ(of_file.size(), 5u);
  int packed = 0;
  for (size_t i = 0; i + 1 < of_file.size(); ++i) {
    packed += of_file[i].value("form", "") == "packed";
    of_file[i].erase("form");
    of_file[i].erase("pattern");
    of_file[i].erase("masked");
    of_run[i].erase("masked");
    EXPECT_EQ(of_file[i], of_run[i]);
  }
  EXPECT_EQ(packed, 2);
}

TEST_F(AnalyzeAppTest, AForeignFile) {
  Write("f", {{"model.embed_tokens.weight", Pruned("2:4", 32, 64)},
              {"a.weight", Pruned("16:2:8", 64, 64)},
              {"b.weight", Pruned("rows:16:2:8", 64, 64)},
              {"c.weight", Pruned("block:16x16:0.5", 64, 64).To(DType::kBF16)},
              {"a.bias", Tensor::Full({64}, 1.0)}});
  const auto json = Json("f");
  ASSERT_EQ(json.size(), 4u);
  EXPECT_EQ(json[0]["name"], "a.weight");
  EXPECT_EQ(json[0]["vnm"], "16:2:8");
  EXPECT_EQ(json[0]["packed_as"], "16:2:8");
  EXPECT_EQ(json[0]["sparsity"], 0.75);
  EXPECT_LT(json[0]["packed_bytes"], json[0]["dense_bytes"]);
  EXPECT_FALSE(json[0].contains("measured"));
  EXPECT_EQ(json[1]["vnm"], "rows:16:2:8");
  EXPECT_EQ(json[2]["blocks"], "block:16x16:0.5");
  EXPECT_EQ(json[2]["values"], "bf16");
  EXPECT_EQ(json[2]["dense_bytes"], 64 * 64 * 2);
  EXPECT_EQ(json[3]["linears"], 3);
  EXPECT_EQ(json[3]["left_out"], 2);
  EXPECT_EQ(json[3]["recommendations"], nlohmann::json({"none, because nothing was measured"}));
  const Outcome shards = Run({"analyze", Checkpoint("llama"), "--skip-measurement"});
  EXPECT_THAT(shards.out, HasSubstr("model.safetensors.index.json: 15 linears; 6 tensors left out"));
}

TEST_F(AnalyzeAppTest, MeasuresAndRecommendsAndWritesNothing) {
  Train("run");
  Write("f", {{"a.weight", Pruned("2:4", 64, 96)},
              {"b.weight", Pruned("2:4", 64, 96)},
              {"c.weight", Pruned("16:2:16", 64, 96).To(DType::kBF16)},
              {"d.weight", Pruned("unstructured:0.5", 96, 64)},
              {"e.weight", Tensor::Full({128, 64}, 1.0)}});
  const auto before = test::SnapshotOf(dir_ / "");
  const auto json = Json("f", {"--rows", "16", "--threads", "1"});
  ASSERT_EQ(json.size(), 6u);
  for (size_t i = 0; i < 5; ++i) {
    SCOPED_TRACE(json[i].dump());
    const nlohmann::json& measured = json[i]["measured"];
    EXPECT_GT(measured["dense_seconds_1_row"], 0.0);
    EXPECT_GT(measured["dense_seconds_rows"], 0.0);
    EXPECT_EQ(measured.contains("packed_speedup_1_row"), json[i].contains("packed_as"));
    EXPECT_EQ(measured.contains("packed_speedup_rows"), json[i].contains("packed_as"));
  }
  EXPECT_EQ(json[0]["measured"], json[1]["measured"]);  // Measured once.
  EXPECT_EQ(json[5]["processor"], ProcessorName());
  EXPECT_EQ(json[5]["threads"], 1);
  EXPECT_EQ(json[5]["rows"], 16);
  const std::string advice = json[5]["recommendations"].dump();
  EXPECT_THAT(advice, AllOf(HasSubstr("[64, 96] "), HasSubstr("[128, 64] "), HasSubstr("x with 1 row and "),
                            HasSubstr("in training "), HasSubstr("x with 16 rows (2:4 both ways)")));

  const Outcome of_run = Analyze("run", {"--rows", "4"});
  EXPECT_EQ(of_run.code, 0) << of_run.err;
  EXPECT_THAT(of_run.out,
              AllOf(HasSubstr("measured now: "),
                    ContainsRegex("c_fc.weight\" [^\n]* ms, [0-9.]+x [^\n]* ms, [0-9.]+x  transposable:2:4"),
                    HasSubstr("\nrecommendation: ")));
  EXPECT_EQ(test::SnapshotOf(dir_ / ""), before);
}

TEST_F(AnalyzeAppTest, WhatHoldsNoLinearsIsRefused) {
  EXPECT_THAT(Analyze("none"), FailsWith(2, HasSubstr(Path("none"))));
  EXPECT_THAT(Run({"analyze", dir_.path().string()}), FailsWith(2, HasSubstr("holds neither model.safetensors nor")));
  WriteTextFile(dir_ / "text", "no weights");
  EXPECT_THAT(Analyze("text"), FailsWith(2, HasSubstr(Path("text") + ": ")));
  EXPECT_THAT(Run({"analyze"}), FailsWith(2, HasSubstr("PATH")));
  Write("biases", {{"a.bias", Tensor::Full({64}, 1.0)}});
  EXPECT_THAT(Analyze("biases"), FailsWith(2, HasSubstr(Path("biases") + ": holds no weights of linears, expected")));
  Tensor nan = Tensor::Full({4, 4}, 1.0);
  nan.mutable_data<float>()[3] = std::numeric_limits<float>::quiet_NaN();
  Write("nan", {{"a.weight", Tensor::Full({4, 4}, 1.0)}, {"b.weight", nan}});
  EXPECT_THAT(Analyze("nan"), FailsWith(2, HasSubstr(Path("nan") + ": tensor 'b.weight': 1 of its values are NaN or")));
  Train("run");
  fs::remove(dir_ / "run/model.safetensors");
  fs::remove_all(dir_ / "run/checkpoints");
  EXPECT_THAT(Analyze("run"), FailsWith(2, HasSubstr("the run has no weights yet, expected model.safetensors or a")));

  Write("f", {{"a.weight", Pruned("2:4", 64, 512)}});
  EXPECT_THAT(Analyze("f", {"--rows", "0"}), FailsWith(2, HasSubstr("--rows: 0, expected")));
  EXPECT_THAT(Analyze("f", {"--rows", "524289"}),
              FailsWith(2, HasSubstr("--rows 524289: expected at most 524288 with")));
  stop_.signal = SIGUSR1;
  stop_.stop = true;
  EXPECT_EQ(Analyze("f", {}).code, 128 + SIGUSR1);
}

}  // namespace
}  // namespace twofour::train
