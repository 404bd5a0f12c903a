// The program with a language model: training, resuming and sampling.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

#include "twofour/core/io/safetensors.h"

#include "tests/support/text_file.h"
#include "tests/train/program/cli/app_runner.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::AppRunner;
using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kConfig = R"(
model { gpt { depth: 2 width: 32 heads: 2 sequence_length: 16 } }
training { steps: 6 batch_size: 4 tokens_per_step: 128 }
optimizer { adamw { beta2: 0.95 } embedding { lr_scale: 10 weight_decay: 0 } }
evaluation { every_steps: 3 }
checkpoint { every_steps: 2 }
logging { every_steps: 2 }
)";

class GptAppTest : public AppRunner {
 protected:
  GptAppTest() {
    WriteTextFile(dir_ / "gpt.pbtxt", kConfig);
    std::string text;
    for (int i = 0; i < 60; ++i) text += "To be, or not to be: that is the question.\n";
    WriteTextFile(dir_ / "text", text);
  }

  Outcome Train(const std::string& name, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"--config", Path("gpt.pbtxt"), "--out",
                                       Path(name), "--set",           "data.text.path=" + Path("text")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  }

  Outcome Sample(const std::string& run, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"sample", "--run", Path(run)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  }
};

TEST_F(GptAppTest, TrainsSparseMlpsAndReportsTokensAndPerplexity) {
  const Outcome outcome = Train("run", {"--sparse"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("✓ 2:4 sparsity enabled - converted 4 MLP layers to SemiSparseLinear"),
                                 HasSubstr("6 steps of 128 tokens"), HasSubstr("tokens/s  MFU"),
                                 HasSubstr("perplexity"), HasSubstr("bits per byte"), HasSubstr("GFLOP/s")));
  std::istringstream lines(ReadTextFile(dir_ / "run/metrics.jsonl"));
  int evaluations = 0, trainings = 0;
  for (std::string line; std::getline(lines, line);) {
    const auto record = nlohmann::json::parse(line);
    if (record["split"] == "train") {
      ++trainings;
      EXPECT_GT(record["tokens_per_s"], 0);
      EXPECT_GT(record.value("mfu", record.value("mfu_rough", 0.0)), 0);  // It is rough if the machine is busy.
    } else if (record["split"] == "eval") {
      ++evaluations;
      EXPECT_NEAR(record["perplexity"], std::exp(record["loss"].get<double>()), 1e-6);
      EXPECT_NEAR(record["bits_per_byte"], record["loss"].get<double>() / std::log(2.0), 1e-9);
    }
  }
  EXPECT_EQ(trainings, 3);
  EXPECT_EQ(evaluations, 2);
}

TEST_F(GptAppTest, ResumesToTheSameBits) {
  for (const std::string optimizer : {"optimizer.adamw.beta2=0.95", "optimizer.muon={momentum: 0.9}"}) {
    const std::vector<std::string> with{"--sparse", "--overwrite", "--set", optimizer};
    ASSERT_EQ(Train("whole", with).code, 0);
    std::vector<std::string> shorter = with;
    shorter.insert(shorter.end(), {"--set", "training.steps=3"});
    ASSERT_EQ(Train("parts", shorter).code, 0);
    ASSERT_EQ(Run({"--resume", Path("parts"), "--set", "training.steps=6", "--threads", "1"}).code, 0);
    EXPECT_EQ(ReadTextFile(dir_ / "whole/model.safetensors"), ReadTextFile(dir_ / "parts/model.safetensors"));
  }
}

TEST_F(GptAppTest, ARunThatCouldNotGoOnWithItsVocabularyIsRefused) {
  ASSERT_EQ(Train("run", {"--set", "data.text.vocabulary=CHARACTERS"}).code, 0);
  std::string text = ReadTextFile(dir_ / "text");
  std::replace(text.begin(), text.end(), 'q', 'Q');  // The same number of characters, but other ones.
  WriteTextFile(dir_ / "text", text);
  const std::string before = ReadTextFile(dir_ / "run/metrics.jsonl");
  for (const char* more : {"--dry-run", "--sparse"}) {
    EXPECT_THAT(Run({"--resume", Path("run"), "--set", "training.steps=8", more}),
                FailsWith(2, AllOf(HasSubstr("data.json"), HasSubstr("token 5 is \"Q\", was"))));
  }
  EXPECT_EQ(ReadTextFile(dir_ / "run/metrics.jsonl"), before);
}

TEST_F(GptAppTest, ARunWhoseTextHasGrownIsRefused) {
  ASSERT_EQ(Train("run").code, 0);
  const std::string before = ReadTextFile(dir_ / "run/data.json");
  WriteTextFile(dir_ / "text", ReadTextFile(dir_ / "text") + "Whether 'tis nobler in the mind to suffer\n");
  EXPECT_THAT(
      Run({"--resume", Path("run"), "--set", "training.steps=8"}),
      FailsWith(2, AllOf(HasSubstr("data.json: the data is not what the run began with"), HasSubstr("bytes, had"))));
  EXPECT_EQ(ReadTextFile(dir_ / "run/data.json"), before);
}

TEST_F(GptAppTest, ALongerRunsTextIsNotThatOfTheShorterOne) {
  ASSERT_EQ(Train("run").code, 0);
  EXPECT_THAT(Sample("run").err, HasSubstr("run/model.safetensors"));
  stop_.signal = SIGINT;
  stop_.stop = true;  // Stops after one more step.
  EXPECT_EQ(Run({"--resume", Path("run"), "--set", "training.steps=9"}).code, 128 + SIGINT);
  stop_.stop = false;
  EXPECT_THAT(Sample("run").err, HasSubstr("checkpoints/step-7/model.safetensors"));
}

TEST_F(GptAppTest, SamplingHeedsSignals) {
  ASSERT_EQ(Train("run").code, 0);
  stop_.signal = SIGTERM;
  stop_.stop = true;
  const Outcome outcome = Sample("run", {"--prompt", "To", "--tokens", "100000"});
  EXPECT_EQ(outcome.code, 128 + SIGTERM);
  EXPECT_EQ(outcome.out.size(), 4u);  // The prompt, one token, and the end of the line.
}

TEST_F(GptAppTest, AModelThatDoesNotFitIntoMemoryIsRefusedBeforeItIsMade) {
  EXPECT_THAT(Train("run", {"--set", "model.gpt.depth=1000", "--set", "model.gpt.width=65536"}),
              FailsWith(2, HasSubstr("GiB of memory here")));
  EXPECT_FALSE(fs::exists(dir_ / "run"));
}

TEST_F(GptAppTest, SamplesTheSameTextFromTheSameSeed) {
  ASSERT_EQ(Train("run", {"--sparse", "--set", "training.steps=40", "--set", "learning_rate.lr=0.01"}).code, 0);
  const Outcome first = Sample("run", {"--prompt", "To be", "--tokens", "40", "--seed", "3"});
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_THAT(first.out, StartsWith("To be"));
  EXPECT_EQ(first.out.size(), 5u + 40u + 1u);
  EXPECT_THAT(first.err, HasSubstr("tokens/s"));
  EXPECT_EQ(Sample("run", {"--prompt", "To be", "--tokens", "40", "--seed", "3", "--threads", "1"}).out, first.out);
  EXPECT_NE(Sample("run", {"--prompt", "To be", "--tokens", "40", "--seed", "4"}).out, first.out);
  // The checkpoint of the last step holds the same weights.
  EXPECT_EQ(Sample("run/checkpoints/last", {"--prompt", "To be", "--tokens", "40", "--seed", "3"}).out, first.out);
  // The most likely token does not depend on the seed.
  const auto greedy = [&](const char* seed) {
    return Sample("run", {"--tokens", "20", "--temperature", "0", "--seed", seed}).out;
  };
  EXPECT_EQ(greedy("1"), greedy("2"));
  EXPECT_EQ(greedy("1")[0], '\n');
  WriteTextFile(dir_ / "prompt", "To be");
  EXPECT_EQ(Sample("run", {"--prompt-file", Path("prompt"), "--tokens", "40", "--seed", "3"}).out, first.out);
}

TEST_F(GptAppTest, TokenFilesAreSampledById) {
  std::string ids;
  for (int i = 0; i < 2000; ++i) ids += {static_cast<char>(i % 7), '\0'};
  WriteTextFile(dir_ / "ids", ids);
  const Outcome trained =
      Run({"--config", Path("gpt.pbtxt"), "--out", Path("run"), "--set", "data.tokens.path=" + Path("ids")});
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_THAT(trained.out, Not(HasSubstr("bits per byte")));
  EXPECT_FALSE(fs::exists(dir_ / "run/vocabulary.json"));
  const Outcome sampled = Sample("run", {"--prompt", "1 2 3", "--tokens", "5"});
  ASSERT_EQ(sampled.code, 0) << sampled.err;
  EXPECT_THAT(sampled.out, StartsWith("1 2 3 "));
  EXPECT_THAT(Sample("run", {"--prompt", "1 7"}), FailsWith(2, HasSubstr("\"7\" is no token id, expected 0 to 6")));
  EXPECT_THAT(Sample("run", {"--prompt", "one"}), FailsWith(2, HasSubstr("\"one\" is no token id")));
}

TEST_F(GptAppTest, BadDataIsOneLineAndWritesNothing) {
  const auto fails = [&](const std::vector<std::string>& more, const std::string& message) {
    const Outcome outcome = Train("run", more);
    EXPECT_THAT(outcome, FailsWith(2, HasSubstr(message)));
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_FALSE(fs::exists(dir_ / "run"));
  };
  WriteTextFile(dir_ / "empty", "");
  fails({"--set", "data.text.path=" + Path("empty")}, "empty");
  fails({"--set", "data.text.path=" + Path("none")}, "none: No such file or directory");
  fails({"--set", "model.gpt.sequence_length=5000", "--set", "training.tokens_per_step=0"}, "5000");
  WriteTextFile(dir_ / "odd", "abc");
  const auto fails_on = [&](const std::string& data, const std::string& message) {
    const Outcome outcome = Run({"--config", Path("gpt.pbtxt"), "--out", Path("run"), "--set", data});
    EXPECT_THAT(outcome, FailsWith(2, HasSubstr(message)));
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_FALSE(fs::exists(dir_ / "run"));
  };
  fails_on("data.tokens.path=" + Path("odd"), "3 bytes");
  WriteTextFile(dir_ / "ids", std::string("\1\0\2\0\x09\0\1\0", 8));
  fails_on("data.tokens={path: '" + Path("ids") + "' vocab_size: 5}", "9");
  fails({"--set", "data.tokens.path=" + Path("ids")}, "would discard --set data.text.path=");
}

TEST_F(GptAppTest, SampleExplainsWhatItCannotDo) {
  ASSERT_EQ(Train("run", {"--set", "data.text.vocabulary=CHARACTERS"}).code, 0);
  EXPECT_THAT(Sample("run", {"--prompt", "zebra"}), FailsWith(2, AllOf(HasSubstr("z"), HasSubstr("byte 0"))));
  EXPECT_THAT(Sample("run", {"--prompt", ""}), FailsWith(2, HasSubstr("prompt is empty")));
  for (const auto& [option, value] :
       {std::pair("--temperature", "-1"), {"--top-p", "2"}, {"--top-p", "0"}, {"--top-k", "-1"}}) {
    const Outcome outcome = Sample("run", {"--prompt", "To", option, value});
    EXPECT_THAT(outcome, FailsWith(2, HasSubstr(option)));
    EXPECT_EQ(outcome.out, "");
  }
  EXPECT_THAT(Sample("run", {"--prompt", "To", "--tokens", "0"}), FailsWith(2, HasSubstr("--tokens")));
  EXPECT_THAT(Sample("run", {"--prompt", "To", "--prompt-file", "x"}), FailsWith(2, HasSubstr("--prompt")));
  EXPECT_THAT(Sample("none"), FailsWith(2, HasSubstr("--run")));
  EXPECT_THAT(Run({"sample"}), FailsWith(2, HasSubstr("--run is required")));
  WriteTextFile(dir_ / "run/vocabulary.json", "{}");
  EXPECT_THAT(Sample("run"), FailsWith(2, HasSubstr("vocabulary.json")));
  fs::remove(dir_ / "run/vocabulary.json");
  SaveSafetensors(FileSystem::Default(), dir_ / "run/model.safetensors",
                  {{"transformer.wte.weight", Tensor::Empty({int64_t{1} << 40, 0})}});
  EXPECT_THAT(Sample("run"), FailsWith(2, HasSubstr("'transformer.wte.weight' is f32 [1099511627776, 0], expected")));
  fs::remove(dir_ / "run/model.safetensors");
  fs::remove_all(dir_ / "run/checkpoints");
  EXPECT_THAT(Sample("run"), FailsWith(2, HasSubstr("no weights yet")));
  EXPECT_EQ(Run({"sample", "--help"}).code, 0);
}

}  // namespace
}  // namespace twofour::train
