#include "twofour/train/program/config/text_config.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "twofour/core/error.h"
#include "twofour/train/program/config/difference.h"
#include "twofour/train/program/config/validate.h"

#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour::train {
namespace {

using test::TempDir;
using test::WriteTextFile;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(ParseTextConfigTest, ReadsFields) {
  const proto::Config config = ParseTextConfig("seed: 7 model { mlp { hidden_features: [8, 4] } }", "c");
  EXPECT_EQ(config.seed(), 7u);
  EXPECT_EQ(config.model().mlp().hidden_features_size(), 2);
}

TEST(ParseTextConfigTest, ListsEveryUnknownFieldWithItsPlaceAndTheNearestName) {
  EXPECT_ERROR(ParseTextConfig("sede: 7\ntraining {\n  step: 3\n  batch_size: 4\n}\nquux: 1\n", "my.pbtxt"),
               ErrorKind::kInvalidInput,
               AllOf(HasSubstr("my.pbtxt:1:"), HasSubstr("unknown field 'sede' in Config (did you mean 'seed'?)"),
                     HasSubstr("my.pbtxt:3:"), HasSubstr("unknown field 'step' in Training (did you mean 'steps'?)"),
                     HasSubstr("my.pbtxt:6:"), HasSubstr("unknown field 'quux' in Config")));
}

TEST(ParseTextConfigTest, NamesTheFileLineAndColumnOfAWrongType) {
  EXPECT_ERROR(ParseTextConfig("seed: 1\ntraining { steps: many }", "a.pbtxt"), ErrorKind::kInvalidInput,
               StartsWith("a.pbtxt:2:19: "));
}

TEST(ParseTextConfigTest, NamesTheEnumValueThatDoesNotExist) {
  EXPECT_ERROR(ParseTextConfig("model { mlp { activation: TANH } }", "a.pbtxt"), ErrorKind::kInvalidInput,
               AllOf(StartsWith("a.pbtxt:1:"), HasSubstr("TANH")));
}

TEST(ParseTextConfigTest, RejectsTextThatDoesNotParse) {
  EXPECT_ERROR(ParseTextConfig("model { mlp {", "a.pbtxt"), ErrorKind::kInvalidInput, StartsWith("a.pbtxt:"));
  EXPECT_ERROR(ParseTextConfig("seed: 1 seed: 2", "a.pbtxt"), ErrorKind::kInvalidInput, HasSubstr("seed"));
  EXPECT_ERROR(ParseTextConfig("model { mlp {} residual_mlp {} }", "a.pbtxt"), ErrorKind::kInvalidInput,
               StartsWith("a.pbtxt:1:"));
}

TEST(ParseTextConfigTest, BoundsNesting) {
  std::string text;
  for (int i = 0; i < 100000; ++i) text += "unknown {";
  EXPECT_THROW(ParseTextConfig(text, "deep"), Error);
}

TEST(LoadTextConfigTest, NamesTheRunAfterTheFile) {
  const TempDir dir;
  WriteTextFile(dir / "fancy.pbtxt", "seed: 3");
  EXPECT_EQ(LoadTextConfig((dir / "fancy.pbtxt").string()).name(), "fancy");
  WriteTextFile(dir / "named.pbtxt", "name: 'other'");
  EXPECT_EQ(LoadTextConfig((dir / "named.pbtxt").string()).name(), "other");
}

TEST(LoadTextConfigTest, ReportsAMissingFile) {
  EXPECT_ERROR(LoadTextConfig("no/such.pbtxt"), ErrorKind::kInvalidInput, HasSubstr("no/such.pbtxt"));
}

TEST(WithDefaultsTest, SpellsOutEveryDefaultAndChoosesAdamW) {
  const proto::Config config = WithDefaults(ParseTextConfig("model { mlp {} } data { glyphs {} }", "c"));
  EXPECT_TRUE(config.has_seed());
  EXPECT_TRUE(config.training().has_batch_size());
  EXPECT_TRUE(config.optimizer().adamw().has_beta2());
  EXPECT_FALSE(config.model().has_residual_mlp());
  EXPECT_TRUE(config.model().mlp().has_activation());
}

TEST(ToTextTest, ComesBackTheSame) {
  const proto::Config config =
      WithDefaults(ParseTextConfig("name: 'ü\"' model { mlp { hidden_features: 3 } } data { csv { path: 'x' } }", "c"));
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(config, ParseTextConfig(ToText(config), "c")));
}

class ShippedConfigTest : public ::testing::TestWithParam<std::string> {};

TEST_P(ShippedConfigTest, ParsesAndIsValid) {
  const std::string path = std::string(TWOFOUR_SOURCE_DIR "/configs/") + GetParam();
  proto::Config config = WithDefaults(LoadTextConfig(path));
  EXPECT_NO_THROW(ValidateConfig(config));
  // The config is also valid as a short trial run.
  for (const int64_t steps : {1, 2, 10}) {
    config.mutable_training()->set_steps(steps);
    EXPECT_NO_THROW(ValidateConfig(config)) << steps;
  }
}

TEST(ShippedConfigsTest, TheOneInBf16DiffersInThePrecisionAlone) {
  const auto load = [](const std::string& name) {
    proto::Config config = WithDefaults(LoadTextConfig(TWOFOUR_SOURCE_DIR "/configs/" + name));
    config.clear_name();
    return config;
  };
  EXPECT_THAT(Differences(load("gpt_shakespeare.pbtxt"), load("gpt_shakespeare_bf16.pbtxt")),
              ElementsAre("training.precision: FP32 -> BF16"));
}

std::vector<std::string> ShippedConfigs() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(TWOFOUR_SOURCE_DIR "/configs")) {
    if (entry.path().extension() == ".pbtxt") names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(AllOfThem, ShippedConfigTest, ::testing::ValuesIn(ShippedConfigs()), [](const auto& test) {
  std::string name = test.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
});

}  // namespace
}  // namespace twofour::train
