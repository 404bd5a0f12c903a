// From a text to a vocabulary, token ids, a model and its samples.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

#include "tests/support/text_file.h"
#include "tests/train/data/idx_test_data.h"
#include "tests/train/program/cli/app_runner.h"

namespace twofour::train {
namespace {

using test::FailsWith;
using test::Outcome;
using test::ReadTextFile;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class TokenizeAppTest : public test::AppRunner {
 protected:
  TokenizeAppTest() {
    for (int i = 0; i < 200; ++i) text_ += "To be, or not to be: that is the question.\n";
    WriteTextFile(dir_ / "text", text_);
    WriteTextFile(dir_ / "gpt.pbtxt", R"(
      model { gpt { depth: 1 width: 32 heads: 2 sequence_length: 16 } }
      training { steps: 4 batch_size: 4 }
      evaluation { every_steps: 2 }
      logging { every_steps: 2 tensorboard: false }
    )");
  }

  Outcome Tokenize(const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"tokenize", "--input", Path("text")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  }

  Outcome Train(const std::string& name, const std::string& data) {
    return Run({"--config", Path("gpt.pbtxt"), "--out", Path(name), "--set", "data." + data});
  }

  std::string text_;
};

TEST_F(TokenizeAppTest, VocabularyIdsModelAndSamples) {
  const Outcome found = Tokenize({"--vocab", "280", "--output", Path("t.json")});
  ASSERT_EQ(found.code, 0) << found.err;
  EXPECT_THAT(found.out, AllOf(StartsWith(Path("t.json") + ": 8600 bytes, "), HasSubstr("vocabulary of 280")));
  const Outcome written = Tokenize({"--tokenizer", Path("t.json"), "--output", Path("t.bin")});
  ASSERT_EQ(written.code, 0) << written.err;

  const Outcome of_text =
      Train("text_run", "text={ path: '" + Path("text") + "' tokenizer: '" + Path("t.json") + "' }");
  ASSERT_EQ(of_text.code, 0) << of_text.err;
  const Outcome of_ids =
      Train("ids_run", "tokens={ path: '" + Path("t.bin") + "' tokenizer: '" + Path("t.json") + "' }");
  ASSERT_EQ(of_ids.code, 0) << of_ids.err;
  // The same tokens make the same model.
  EXPECT_EQ(ReadTextFile(dir_ / "text_run/model.safetensors"), ReadTextFile(dir_ / "ids_run/model.safetensors"));
  EXPECT_EQ(ReadTextFile(dir_ / "text_run/metrics.jsonl").find("bits_per_byte") == std::string::npos, false);

  std::filesystem::remove(dir_ / "t.json");  // The run has its own copy.
  for (const char* run : {"text_run", "ids_run"}) {
    const Outcome sampled = Run({"sample", "--run", Path(run), "--prompt", "To be", "--tokens", "5"});
    ASSERT_EQ(sampled.code, 0) << sampled.err;
    EXPECT_THAT(sampled.out, StartsWith("To be"));
  }
  const Outcome evaluated = Run({"evaluate", "--run", Path("text_run"), "--data", Path("text"), "--json"});
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;
  EXPECT_TRUE(nlohmann::json::parse(evaluated.out).contains("bits_per_byte"));
}

TEST_F(TokenizeAppTest, ARunGoesOnWithItsTokenizerOnly) {
  ASSERT_EQ(Tokenize({"--vocab", "280", "--output", Path("t.json")}).code, 0);
  ASSERT_EQ(Train("run", "text={ path: '" + Path("text") + "' tokenizer: '" + Path("t.json") + "' }").code, 0);
  ASSERT_EQ(Run({"--resume", Path("run"), "--set", "training.steps=6"}).code, 0);
  ASSERT_EQ(Tokenize({"--vocab", "270", "--output", Path("t.json")}).code, 0);
  EXPECT_THAT(Run({"--resume", Path("run"), "--set", "training.steps=8"}),
              FailsWith(2, HasSubstr("the data is not what the run began with: 270 different tokens, were 280")));
}

TEST_F(TokenizeAppTest, SaysWhatIsWrong) {
  EXPECT_THAT(Tokenize({"--output", Path("x")}), FailsWith(2, HasSubstr("expected --vocab")));
  EXPECT_THAT(Tokenize({"--output", Path("x"), "--vocab", "256"}), FailsWith(2, HasSubstr("--vocab")));
  EXPECT_THAT(Tokenize({"--output", Path("x"), "--tokenizer", Path("text")}), FailsWith(2, HasSubstr("text")));
  WriteTextFile(dir_ / "vocab.json", "{\"a\": 0}");
  EXPECT_THAT(Tokenize({"--output", Path("x"), "--tokenizer", Path("vocab.json")}),
              FailsWith(2, HasSubstr("merges.txt is missing")));
  EXPECT_THAT(Tokenize({"--output", "/dev/null", "--vocab", "300"}), FailsWith(2, HasSubstr("no regular file")));
  EXPECT_THAT(Tokenize({"--output", Path("text"), "--vocab", "300"}),
              FailsWith(2, HasSubstr("is needed and would be lost")));
  WriteTextFile(dir_ / "text", Gzip(text_));
  EXPECT_THAT(Tokenize({"--output", Path("x"), "--vocab", "300"}),
              FailsWith(2, HasSubstr("a gzip file, expected a text")));
  WriteTextFile(dir_ / "text", "");
  EXPECT_THAT(Tokenize({"--output", Path("x"), "--vocab", "300"}), FailsWith(2, HasSubstr("is empty")));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "x"));
  EXPECT_THAT(Train("run", "text={ path: '" + Path("gpt.pbtxt") + "' tokenizer: 't.json' vocabulary: CHARACTERS }"),
              FailsWith(2, HasSubstr("data.text.vocabulary")));
}

TEST_F(TokenizeAppTest, AStopLeavesNothing) {
  stop_.signal = 2;
  stop_.stop = true;
  const Outcome outcome = Tokenize({"--output", Path("x"), "--vocab", "300"});
  EXPECT_EQ(outcome.code, 130);
  EXPECT_EQ(outcome.err, "stopped; nothing was written\n");
  EXPECT_FALSE(std::filesystem::exists(dir_ / "x"));
}

TEST_F(TokenizeAppTest, TheStandardOutputTakesTheResultAlone) {
  const Outcome outcome = Tokenize({"--output", "-", "--vocab", "270"});
  EXPECT_TRUE(nlohmann::json::parse(outcome.out).contains("model"));
  EXPECT_THAT(outcome.err, HasSubstr("vocabulary of 270"));
}

TEST_F(TokenizeAppTest, IdsOfAnotherTokenizerAreRefused) {
  ASSERT_EQ(Tokenize({"--vocab", "280", "--output", Path("t.json")}).code, 0);
  ASSERT_EQ(Tokenize({"--tokenizer", Path("t.json"), "--output", Path("t.bin")}).code, 0);
  ASSERT_EQ(Tokenize({"--vocab", "260", "--output", Path("small.json")}).code, 0);
  EXPECT_THAT(Train("run", "tokens={ path: '" + Path("t.bin") + "' tokenizer: '" + Path("small.json") + "' }"),
              FailsWith(2, HasSubstr("expected 0 to 259")));
  EXPECT_THAT(
      Train("run", "tokens={ path: '" + Path("t.bin") + "' tokenizer: '" + Path("t.json") + "' vocab_size: 270 }"),
      FailsWith(2, HasSubstr("vocab_size: 270, expected at least 280")));
  // A range that is rounded up is fine.
  EXPECT_EQ(
      Train("run", "tokens={ path: '" + Path("t.bin") + "' tokenizer: '" + Path("t.json") + "' vocab_size: 288 }").code,
      0);
  EXPECT_EQ(Run({"sample", "--run", Path("run"), "--tokens", "20"}).code, 0);
}

}  // namespace
}  // namespace twofour::train
