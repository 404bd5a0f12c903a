// `trainer shrink`, and what becomes of runs that it made.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/json.h"
#include "twofour/core/io/safetensors.h"

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

}  // namespace
}  // namespace twofour::train
