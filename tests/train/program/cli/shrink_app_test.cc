// `trainer shrink`, and what becomes of runs that it made.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/core/io/json.h"
#include "twofour/core/io/safetensors.h"

#include "tests/support/text_file.h"
#include "tests/train/program/cli/config_runner.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::ConfigRunner;
using test::FailsWith;
using test::Outcome;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kGptToShrink = R"(
model { gpt { depth: 3 width: 32 heads: 4 kv_heads: 2 sequence_length: 16 } }
data { text { path: "PATH" vocabulary: CHARACTERS } }
training { steps: 20 batch_size: 4 }
learning_rate { lr: 0.01 }
evaluation { every_steps: 20 }
checkpoint { every_steps: 0 }
logging { tensorboard: false }
)";

class ShrinkAppTest : public ConfigRunner {
 protected:
  ShrinkAppTest() : ConfigRunner(kGptToShrink, "gpt.pbtxt") {
    std::string text;
    for (int i = 0; i < 600; ++i) text += std::to_string(i * i) + (i % 7 == 0 ? "\n" : " ");
    WriteTextFile(dir_ / "text.txt", text);
  }
  void TrainDense() {
    const Outcome outcome = Train("dense", {"--set", "data.text.path=" + Path("text.txt")});
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
    const Outcome evaluated = Run({"evaluate", "--run", Path(importance)});
    const size_t at = outcome.out.find("loss: ");
    EXPECT_THAT(evaluated.out, HasSubstr(outcome.out.substr(at, std::string("loss: 1.234").size())));
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
