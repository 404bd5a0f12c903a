// `trainer shrink`, and what becomes of runs that it made.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/json.h"
#include "twofour/core/io/safetensors.h"

#include "tests/support/text_file.h"
#include "tests/train/program/cli/text_runner.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::FailsWith;
using test::Outcome;
using ::testing::AllOf;
using ::testing::HasSubstr;

class ShrinkAppTest : public test::TextRunner {
 protected:
  ShrinkAppTest() : TextRunner("depth: 3 width: 32 heads: 4 kv_heads: 2 sequence_length: 16", 20) {}

  void TrainDense() {
    const Outcome outcome = TrainOnText("dense");
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
  Outcome Shrink(const std::string& out, const std::vector<std::string>& more) {
    return Run(Joined({"shrink", "--run", Path("dense"), "--out", Path(out)}, more));
  }
};

TEST_F(ShrinkAppTest, MakesASmallerModelThatTrainsOn) {
  TrainDense();
  for (const std::string importance : {"magnitude", "activation", "gradient"}) {
    SCOPED_TRACE(importance);
    const Outcome outcome =
        Shrink(importance, {"--heads", "2", "--neurons", "40", "--blocks", "2", "--importance", importance});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, AllOf(HasSubstr("transformer.h         2 of 3 blocks"), HasSubstr("2 of 4 heads"),
                                   HasSubstr("40 of 128 neurons"), HasSubstr("loss: ")));
    const SafetensorsFile model = LoadSafetensors(FileSystem::Default(), dir_ / importance / "model.safetensors");
    EXPECT_EQ(model.Find("transformer.h.1.mlp.c_fc.weight")->shape(), (Shape{40, 32}));
    EXPECT_EQ(model.Find("transformer.h.1.attn.c_q.weight")->shape(), (Shape{16, 32}));
    EXPECT_EQ(model.Find("transformer.h.1.attn.c_k.weight")->shape(), (Shape{8, 32}));
    EXPECT_EQ(model.Find("transformer.h.2.mlp.c_fc.weight"), nullptr);
    // What was printed is what evaluation finds.
    const Outcome evaluated = Run({"evaluate", "--run", Path(importance), "--json"});
    const double printed = std::strtod(outcome.out.c_str() + outcome.out.find("loss: ") + 6, nullptr);
    EXPECT_NEAR(JsonDocument::Parse(evaluated.out, "evaluate").root().Find("loss")->number(), printed, 1e-4);
    const std::string folder = Path(importance);
    const Outcome trained = Run({"--config", folder + "/config.pbtxt", "--out", Path(importance + "_on"), "--set",
                                 "initial_weights=" + folder + "/model.safetensors", "--set", "training.steps=3"});
    EXPECT_EQ(trained.code, 0) << trained.err;
    EXPECT_EQ(Run({"sample", "--run", folder, "--tokens", "5"}).code, 0);
  }
  EXPECT_EQ(Shrink("by_loss", {"--heads", "2", "--importance", "loss", "--samples", "8"}).code, 0);
}

TEST_F(ShrinkAppTest, AStopIsToldAndLeavesNothing) {
  TrainDense();
  stop_.signal = 15;
  stop_.stop = true;
  const Outcome outcome = Shrink("out", {"--neurons", "40"});
  EXPECT_EQ(outcome.code, 143);
  EXPECT_EQ(outcome.err, "stopped; nothing was written\n");
  EXPECT_FALSE(fs::exists(dir_ / "out"));
}

/// Its shrink.json names the parts whose weights the smaller model has.
TEST_F(ShrinkAppTest, RecordsWhatItKept) {
  TrainDense();
  const Outcome outcome = Shrink("out", {"--heads", "2", "--neurons", "40", "--blocks", "2", "--importance",
                                         "activation", "--samples", "10", "--seed", "3"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const JsonDocument report = JsonDocument::Parse(test::ReadTextFile(dir_ / "out/shrink.json"), "shrink.json");
  const JsonValue root = report.root();
  EXPECT_EQ(root.Find("run")->string(), Path("dense"));
  EXPECT_EQ(root.Find("importance")->string(), "activation");
  EXPECT_EQ(root.Find("samples")->integer(), 12);  // Three batches.
  EXPECT_EQ(root.Find("seed")->integer(), 3);
  EXPECT_LT(root.Find("parameters_after")->integer(), root.Find("parameters_before")->integer());
  for (const std::string& run : {std::string("dense"), std::string("out")}) {
    const Outcome evaluated = Run({"evaluate", "--run", Path(run), "--json"});
    EXPECT_NEAR(JsonDocument::Parse(evaluated.out, "evaluate").root().Find("loss")->number(),
                root.Find(run == "out" ? "loss_after" : "loss_before")->number(), 1e-6);
  }
  const auto load = [&](const std::string& run) {
    return LoadSafetensors(FileSystem::Default(), dir_ / run / "model.safetensors");
  };
  const SafetensorsFile before = load("dense"), after = load("out");
  std::map<std::string, JsonValue> sets;
  for (const JsonValue& set : root.Find("sets")->elements()) sets.emplace(set.Find("name")->string(), set);
  const auto kept = [&](const std::string& name) { return sets.at(name).Find("kept")->elements(); };
  const std::vector<JsonValue> blocks = kept("transformer.h");
  ASSERT_EQ(blocks.size(), 2u);
  EXPECT_EQ(sets.size(), 5u);  // Blocks, and heads and neurons of those that stay.
  for (size_t block = 0; block < blocks.size(); ++block) {
    const std::string old_name = fmt::format("transformer.h.{}.", blocks[block].integer());
    const std::string new_name = fmt::format("transformer.h.{}.", block);
    const auto expect_rows = [&](const std::string& weight, const std::vector<JsonValue>& parts, int64_t rows_each) {
      const Tensor whole = *before.Find(old_name + weight), part = *after.Find(new_name + weight);
      const int64_t row = whole.dim(1);
      ASSERT_EQ(part.dim(0), std::ssize(parts) * rows_each);
      for (size_t i = 0; i < parts.size(); ++i) {
        const float* const expected = whole.data<float>() + parts[i].integer() * rows_each * row;
        const float* const actual = part.data<float>() + static_cast<int64_t>(i) * rows_each * row;
        EXPECT_TRUE(std::equal(expected, expected + rows_each * row, actual)) << weight << " " << i;
      }
    };
    const JsonValue heads = sets.at(old_name + "attn");
    EXPECT_EQ(heads.Find("kind")->string(), "heads");
    EXPECT_EQ(heads.Find("count")->integer(), 4);
    EXPECT_EQ(heads.Find("group")->integer(), 2);
    EXPECT_EQ(heads.Find("importances")->elements().size(), 2u);
    expect_rows("attn.c_q.weight", kept(old_name + "attn"), 8);
    expect_rows("mlp.c_fc.weight", kept(old_name + "mlp"), 1);
  }
  // It is a file of the run, which goes when another run takes its place.
  ASSERT_EQ(Shrink("out", {"--neurons", "40", "--overwrite", "--skip-evaluation"}).code, 0);
  const JsonDocument other = JsonDocument::Parse(test::ReadTextFile(dir_ / "out/shrink.json"), "shrink.json");
  EXPECT_EQ(other.root().Find("samples")->integer(), 0);
  EXPECT_EQ(other.root().Find("loss_after"), std::nullopt);
  ASSERT_EQ(TrainOnText("out", {"--overwrite"}).code, 0);
  EXPECT_FALSE(fs::exists(dir_ / "out/shrink.json"));
}

TEST_F(ShrinkAppTest, SaysWhatIsWrongAndWritesNothing) {
  TrainDense();
  const auto refuses = [&](const std::vector<std::string>& arguments, const std::string& message) {
    EXPECT_THAT(Shrink("out", arguments), FailsWith(2, HasSubstr(message)));
    EXPECT_FALSE(fs::exists(dir_ / "out"));
  };
  refuses({}, "expected");
  refuses({"--heads", "5"}, "--heads: 5, expected");
  refuses({"--heads", "3"}, "--heads: 3, expected");
  refuses({"--neurons", "500"}, "--neurons: 500, expected");
  refuses({"--blocks", "4"}, "--blocks: 4, expected");
  refuses({"--neurons", "8", "--importance", "loss"}, "--importance: ");
  refuses({"--neurons", "8", "--importance", "best"}, "--importance: 'best', expected magnitude");
  ASSERT_EQ(
      Run({"prune", "--run", Path("dense"), "--out", Path("pruned"), "--method", "magnitude", "--pattern", "2:4"}).code,
      0);
  EXPECT_THAT(Run({"shrink", "--run", Path("pruned"), "--out", Path("out"), "--neurons", "8"}),
              FailsWith(2, HasSubstr("the run is sparse, expected a dense one")));
}

TEST_F(ShrinkAppTest, ALossThatIsNotFiniteIsNoBeginning) {
  TrainDense();
  const fs::path file = dir_ / "dense/model.safetensors";
  SafetensorsFile model = LoadSafetensors(FileSystem::Default(), file);
  for (NamedTensor& named : model.tensors) {
    if (named.name == "transformer.h.0.mlp.c_fc.weight") named.tensor.mutable_data<float>()[0] = 1e30F;
  }
  SaveSafetensors(FileSystem::Default(), file, model.tensors, model.metadata);
  EXPECT_THAT(Shrink("out", {"--neurons", "16"}), FailsWith(2, HasSubstr("its evaluation loss is ")));
  EXPECT_FALSE(fs::exists(dir_ / "out"));
}

}  // namespace
}  // namespace twofour::train
