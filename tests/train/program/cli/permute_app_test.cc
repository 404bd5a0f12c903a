// `trainer permute`, and what becomes of runs that it made.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/sparse/permutation/channel_order.h"

#include "tests/support/tensors.h"
#include "tests/support/text_file.h"
#include "tests/train/program/cli/config_runner.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::ConfigRunner;
using test::ExpectBitEqual;
using test::FailsWith;
using test::Outcome;
using test::WriteTextFile;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kConfig = R"(
model { gpt { depth: 1 width: 32 heads: 2 sequence_length: 16 norm: LAYER bias: true } }
data { text { path: "PATH" vocabulary: CHARACTERS } }
training { steps: 6 batch_size: 4 }
learning_rate { lr: 0.01 }
evaluation { every_steps: 6 }
checkpoint { every_steps: 0 }
logging { tensorboard: false }
)";

class PermuteAppTest : public ConfigRunner {
 protected:
  PermuteAppTest() : ConfigRunner(kConfig, "gpt.pbtxt") {
    std::string text;
    for (int i = 0; i < 400; ++i) text += std::to_string(i * i) + (i % 7 == 0 ? "\n" : " ");
    WriteTextFile(dir_ / "text.txt", text);
  }

  Outcome TrainOn(const std::string& name, std::vector<std::string> more = {}) {
    return Train(name, Joined({"--set", "data.text.path=" + Path("text.txt")}, more));
  }
  Outcome Permute(const std::string& from, const std::string& out, const std::vector<std::string>& more) {
    return Run(Joined({"permute", "--from", Path(from), "--out", Path(out)}, more));
  }
  SafetensorsFile Read(const std::string& name) { return LoadSafetensors(FileSystem::Default(), dir_ / name); }
  double Loss(const std::string& run) {
    const Outcome outcome = Run({"evaluate", "--run", Path(run), "--json"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const size_t at = outcome.out.find("\"loss\":");
    return at == std::string::npos ? std::nan("") : std::strtod(outcome.out.c_str() + at + 7, nullptr);
  }
};

/// What a line of the layer says of the shares kept: after, before.
std::pair<double, double> SharesOf(const std::string& layer, const std::string& out) {
  const size_t line = out.find(layer), after = out.find("keeps ", line), before = out.find("before ", line);
  if (line == std::string::npos || before == std::string::npos) return {0, 1};
  return {std::strtod(out.c_str() + after + 6, nullptr), std::strtod(out.c_str() + before + 7, nullptr)};
}

TEST_F(PermuteAppTest, KeepsMoreAndComputesTheSame) {
  ASSERT_EQ(TrainOn("dense").code, 0);
  const double loss = Loss("dense");
  const std::vector<std::vector<std::string>> cases = {{"--pattern", "16:2:8"},
                                                       {"--pattern", "16:2:8", "--score", "ria", "--batches", "2"},
                                                       {"--pattern", "2:4", "--inner", "rows", "--rounds", "1"},
                                                       {"--pattern", "2:4", "--hidden-only"}};
  for (size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(i);
    const std::string name = "permuted" + std::to_string(i);
    const Outcome outcome = Permute("dense", name, cases[i]);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    for (const std::string layer : {"transformer.h.0.mlp.c_fc", "transformer.h.0.mlp.c_proj"}) {
      const auto [after, before] = SharesOf(layer, outcome.out);
      EXPECT_GT(after, before) << outcome.out;
    }
    EXPECT_NEAR(Loss(name), loss, 1e-5 * loss);
    EXPECT_EQ(Read(name + "/permutation.safetensors").Find("residual") == nullptr, i == 3);
  }
  EXPECT_THAT(test::ReadTextFile(dir_ / "permuted0/config.pbtxt"), HasSubstr("imported_from"));
}

/// The file says what was done, and does it again.
TEST_F(PermuteAppTest, AppliesAFileOfOrders) {
  ASSERT_EQ(TrainOn("dense").code, 0);
  const Outcome found = Permute("dense", "found", {"--pattern", "16:2:8"});
  ASSERT_EQ(found.code, 0) << found.err;
  const SafetensorsFile before = Read("dense/model.safetensors"), after = Read("found/model.safetensors");
  const SafetensorsFile orders = Read("found/permutation.safetensors");
  const auto order = [&](const char* group) {
    const int64_t* const data = orders.Find(group)->data<int64_t>();
    return sparse::ChannelOrder(data, data + orders.Find(group)->numel());
  };
  const Tensor& c_fc = *before.Find("transformer.h.0.mlp.c_fc.weight");
  ExpectBitEqual(
      *after.Find("transformer.h.0.mlp.c_fc.weight"),
      sparse::Reordered(sparse::Reordered(c_fc, 0, order("transformer.h.0.mlp.hidden")), 1, order("residual")));
  const Outcome applied =
      Permute("dense", "applied", {"--pattern", "16:2:8", "--permutation", Path("found/permutation.safetensors")});
  ASSERT_EQ(applied.code, 0) << applied.err;
  EXPECT_EQ(Model("applied"), Model("found"));
  for (const std::string layer : {"transformer.h.0.mlp.c_fc", "transformer.h.0.mlp.c_proj"}) {
    EXPECT_EQ(SharesOf(layer, applied.out), SharesOf(layer, found.out));
  }
  // Shares of another pattern are shown, but the orders are still those that were searched for the first.
  const Outcome judged =
      Permute("dense", "judged", {"--pattern", "2:4", "--permutation", Path("found/permutation.safetensors")});
  ASSERT_EQ(judged.code, 0) << judged.err;
  EXPECT_EQ(Read("judged/permutation.safetensors").metadata, orders.metadata);
}

TEST_F(PermuteAppTest, SparseTrainingStartsFromIt) {
  ASSERT_EQ(TrainOn("dense").code, 0);
  ASSERT_EQ(Permute("dense", "permuted", {"--pattern", "16:2:8"}).code, 0);
  const Outcome sparse = Run({"--config", Path("permuted/config.pbtxt"), "--out", Path("sparse"), "--set",
                              "initial_weights=" + Path("permuted/model.safetensors"), "--set",
                              "sparsity={ enabled: true algorithm: VNM vnm { v: 16 m: 8 } }"});
  EXPECT_EQ(sparse.code, 0) << sparse.err;
  EXPECT_THAT(test::ReadTextFile(dir_ / "sparse/config.pbtxt"), Not(HasSubstr("imported_from")));
  EXPECT_THAT(Permute("sparse", "x", {"--pattern", "2:4"}),
              FailsWith(2, HasSubstr("sparsity is enabled, expected a dense run")));
  EXPECT_THAT(Run({"--resume", Path("permuted")}), FailsWith(2, HasSubstr("imported, permuted or pruned")));
  EXPECT_FALSE(fs::exists(dir_ / "x"));
}

TEST_F(PermuteAppTest, ModelsOfSamples) {
  const std::string data = "data={ glyphs { train_size: 64 eval_size: 32 } }";
  for (const std::string model : {"{ residual_mlp { width: 32 hidden_features: 64 num_blocks: 1 } }",
                                  "{ mlp { hidden_features: 64 hidden_features: 32 } }"}) {
    SCOPED_TRACE(model);
    ASSERT_EQ(Train("dense", Joined({"--overwrite"}, Set({data, "model=" + model}))).code, 0);
    const Outcome outcome = Permute("dense", "permuted", {"--pattern", "16:2:8", "--score", "ria", "--overwrite"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_NEAR(Loss("permuted"), Loss("dense"), 1e-5);
  }
}

TEST_F(PermuteAppTest, SaysWhatIsWrongAndWritesNothing) {
  ASSERT_EQ(TrainOn("dense").code, 0);
  const auto fails = [&](const std::vector<std::string>& more, const std::string& message) {
    EXPECT_THAT(Permute("dense", "x", more), FailsWith(2, HasSubstr(message)));
    EXPECT_FALSE(fs::exists(dir_ / "x"));
  };
  fails({}, "--pattern");
  fails({"--pattern", "64:2"}, "--pattern: '64:2', expected 2:4 or V:2:M");
  fails({"--pattern", "64:2:99"}, "m is 99, expected 5 to 32");
  fails({"--pattern", "2:4", "--score", "wanda"}, "--score: 'wanda', expected magnitude or ria");
  fails({"--pattern", "2:4", "--batches", "3"}, "--batches: goes with --score ria");
  fails({"--pattern", "2:4", "--score", "ria", "--batches", "1000000"}, "--batches: 1000000, expected at most ");
  fails({"--pattern", "2:4", "--rounds", "0"}, "--rounds: 0, expected a whole number from 1 to 100");
  fails({"--pattern", "2:4", "--permutation", Path("none")}, "none");
  fails({"--pattern", "2:4", "--permutation", Path("dense/model.safetensors")},
        "model.safetensors: the model has no channels '");
  EXPECT_THAT(Permute("none", "x", {"--pattern", "2:4"}), FailsWith(2, HasSubstr("--from")));
  EXPECT_THAT(Permute("dense", "dense", {"--pattern", "2:4"}), FailsWith(2, HasSubstr("dense")));
  fs::remove(dir_ / "text.txt");
  fails({"--pattern", "2:4", "--score", "ria"}, "text.txt");
  EXPECT_EQ(Permute("dense", "without_data", {"--pattern", "2:4"}).code, 0);
}

TEST_F(PermuteAppTest, RiaNeedsData) {
  ASSERT_EQ(TrainOn("dense").code, 0);
  ASSERT_EQ(Run({"import", "--from", Path("dense/model.safetensors"), "--out", Path("imported"), "--config",
                 Path("dense/config.pbtxt"), "--set", "data={ text {} }", "--set", "model.gpt.vocab_size=12"})
                .code,
            0);
  EXPECT_THAT(Permute("imported", "x", {"--pattern", "2:4", "--score", "ria"}),
              FailsWith(2, HasSubstr("the run has no data, expected one with data for RIA's activations")));
  EXPECT_EQ(Permute("imported", "permuted", {"--pattern", "2:4"}).code, 0);
}

TEST_F(PermuteAppTest, StopsWithoutARun) {
  ASSERT_EQ(TrainOn("dense").code, 0);
  stop_.stop = true;
  stop_.signal = 2;
  const Outcome outcome = Permute("dense", "x", {"--pattern", "2:4"});
  EXPECT_EQ(outcome.code, 130);
  EXPECT_EQ(outcome.err, "stopped; nothing was written\n");
  EXPECT_FALSE(fs::exists(dir_ / "x"));
}

}  // namespace
}  // namespace twofour::train
