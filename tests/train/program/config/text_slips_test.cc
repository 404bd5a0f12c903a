// Common mistakes in protobuf text, and the error message for each: one line that says where it is, what was found and
// what was expected.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "twofour/train/program/config/overrides.h"
#include "twofour/train/program/config/text_config.h"
#include "twofour/train/program/config/text_message.h"

#include "sweep.pb.h"
#include "tests/support/case_tables.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour::train {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using std::string_view_literals::operator""sv;

using Slip = test::RefusedText;

class SlipTest : public ::testing::TestWithParam<Slip> {};

TEST_P(SlipTest, IsToldInOneLine) {
  EXPECT_ERROR(ParseTextConfig(GetParam().text, "c"), ErrorKind::kInvalidInput, "c:" + GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Brackets, SlipTest,
    ::testing::Values(
        Slip{"model { mlp {} }\ntraining { steps: 10\n",
             "2:21: the text ends here, expected '}' that closes 'training', opened at line 2, column 10"},
        Slip{"model {\n  mlp {\n    bias: true\n  }\n# end\n",
             "4:4: the text ends here, expected '}' that closes 'model', opened at line 1, column 7"},
        Slip{"model { mlp { hidden_features: [1, 2",
             "1:37: the text ends here, expected ']' that closes 'hidden_features', opened at line 1, column 32"},
        Slip{"training {",
             "1:11: the text ends here, expected '}' that closes 'training', opened at line 1, column 10"},
        Slip{"model: {", "1:9: the text ends here, expected '}' that closes 'model', opened at line 1, column 8"},
        Slip{"seed: 1 }\n", "1:9: '}' closes nothing that was opened"},
        Slip{"model { mlp {} } }\ntraining { steps: 10 }\n", "1:18: '}' closes nothing that was opened"},
        Slip{"model { mlp { hidden_features: [1, 2 } }",
             "1:38: '}', expected ']' that closes 'hidden_features', opened at line 1, column 32"},
        Slip{"training ( steps: 1 )", "1:10: found (, expected { after the name of a message"}));

INSTANTIATE_TEST_SUITE_P(
    Quotes, SlipTest,
    ::testing::Values(Slip{"name: \"abc\nmodel { mlp {} }\n",
                           "1:7: the quote that begins here is not closed on its line, expected \""},
                      Slip{"name: 'abc\"\n", "1:7: the quote that begins here is not closed on its line, expected '"},
                      Slip{"name: abc\"", "1:7: found abc\", expected text in quotes: \"abc\""},
                      Slip{"name: abc", "1:7: found abc, expected text in quotes: \"abc\""},
                      Slip{"data { csv { path: data/my-file.csv } }",
                           "1:20: found data/my-file.csv, expected text in quotes: \"data/my-file.csv\""},
                      Slip{"name: }", "1:7: '}' closes nothing that was opened"},
                      Slip{"data { csv { path: } }", "1:20: found }, expected text in quotes"},
                      Slip{"name: \xE2\x80\x9C"
                           "abc\xE2\x80\x9D",
                           "1:7: found '\xE2\x80\x9C' (U+201C), expected \" for a quote"},
                      Slip{"learning_rate { schedule: \"CONSTANT\" }",
                           "1:27: found \"CONSTANT\", expected a name without quotes"}));

INSTANTIATE_TEST_SUITE_P(
    Signs, SlipTest,
    ::testing::Values(Slip{"training { steps = 10 }", "1:18: found =, expected : between a field and its value"},
                      Slip{"training = { steps: 10 }", "1:10: found =, expected { after the name of a message"},
                      Slip{"training { steps }", "1:18: found }, expected :"},
                      Slip{"training { steps: }", "1:19: found }, expected a whole number"},
                      Slip{"seed:", "1:6: found the end of the text, expected a whole number"},
                      Slip{"// the seed\nseed: 1", "1:1: found /, expected a field's name; comments begin with #"},
                      Slip{"model:\n  mlp:\n    bias: true\n",
                           "2:3: found mlp, expected { after the name of a message"},
                      Slip{"\n# TOML\n[training]\nsteps = 10\n",
                           "4:1: found [ ], expected a field's name: a message is name { ... }"},
                      Slip{"{\"training\": {\"steps\": 10}}",
                           "1:1: found {, as in JSON; expected protobuf text: name: value and name { ... }"},
                      Slip{"# JSON\n  {\n  \"seed\": 1\n}",
                           "2:3: found {, as in JSON; expected protobuf text: name: value and name { ... }"},
                      Slip{"seed: 1\x01", "1:8: found a control character, expected text"},
                      Slip{"seed: \xE2\x88\x92"
                           "1",
                           "1:7: found '\xE2\x88\x92' (U+2212), expected it in quotes alone"},
                      Slip{"seed: \xff", "1:7: found a byte that is no UTF-8, expected text"}));

INSTANTIATE_TEST_SUITE_P(
    Values, SlipTest,
    ::testing::Values(
        Slip{"model { mlp { bias: TRUE } }", "1:21: bias: TRUE, expected true or false"},
        Slip{"model { mlp { bias: yes } }", "1:21: bias: yes, expected true or false"},
        Slip{"learning_rate { schedule: COSINE }",
             "1:27: schedule: unknown value COSINE, expected one of CONSTANT, WARMUP_COSINE, WARMUP_STABLE_DECAY"},
        Slip{"data { text { vocabulary: BYTE } }",
             "1:27: vocabulary: unknown value BYTE, expected one of BYTES, CHARACTERS (did you mean 'BYTES'?)"},
        Slip{"sparsity { algorithm: exact }",
             "1:23: algorithm: unknown value exact, expected one of EXACT, GREEDY, SIGNED_GREEDY, RANDOM, ROWS, VNM, "
             "PATTERN"},
        Slip{"model { mlp { bias: yes\n\n} }", "1:21: bias: yes, expected true or false"},
        Slip{"seed: 99999999999999999999", "1:7: found 99999999999999999999, expected a smaller whole number"},
        Slip{"seed: -1", "1:7: found -1, expected a whole number of at least 0"},
        Slip{"training { steps: 1e3 }", "1:19: found 1e3, expected a whole number"},
        Slip{"training { steps: 10k }", "1:21: found 10k, expected a number such as 10000 or 0.5"},
        Slip{"training { steps: 10_000 }", "1:21: found 10_000, expected a number such as 10000 or 0.5"},
        Slip{"learning_rate { lr: 0,5 }", "1:23: found 0,5, expected a number such as 10000 or 0.5"},
        Slip{"learning_rate { lr: 1/1000 }", "1:22: found 1/1000, expected a number such as 10000 or 0.5"},
        Slip{"learning_rate { lr: 5% }", "1:22: found 5%, expected a number such as 10000 or 0.5"},
        Slip{"model { mlp { hidden_features: 64,32 } }",
             "1:35: found 64,32, expected one number, or a list in brackets: [64, 32]"},
        Slip{"model { mlp { hidden_features: 64, 32 } }",
             "1:36: found 64, 32, expected one number, or a list in brackets: [64, 32]"},
        Slip{"threads: -99999999999999999999", "1:11: found -99999999999999999999, expected a larger whole number"},
        Slip{"model { mlp { bias: 2 } }", "1:21: found 2, expected true or false"},
        Slip{"learning_rate { lr: high }", "1:21: found high, expected a number"},
        Slip{"seed: 1 seed: 2", "1:13: seed: given twice, expected once"},
        Slip{"data { glyphs {} csv {} }", "1:22: csv beside glyphs, expected one of them"},
        Slip{"learning_rate { warmup_steps: 3 warmup_fraction: 0.1 }",
             "1:48: warmup_fraction beside warmup_steps, expected one of them"}));

TEST(SlipTest, ColumnsCountCharactersAsEditorsDo) {
  EXPECT_ERROR(ParseTextConfig("training {\n\tsteps:\tx }", "c"), ErrorKind::kInvalidInput,
               "c:2:9: found x, expected a whole number");
  EXPECT_ERROR(ParseTextConfig("name: 'Größe' seed: x", "c"), ErrorKind::kInvalidInput,
               "c:1:21: found x, expected a whole number");
  EXPECT_ERROR(ParseTextConfig("\t\tstepz: 3", "c"), ErrorKind::kInvalidInput,
               HasSubstr("c:1:3: unknown field 'stepz'"));
}

TEST(SlipTest, AMissingBraceComesBeforeItsConsequences) {
  EXPECT_ERROR(
      ParseTextConfig("model { mlp {} }\ndata { glyphs {}\ntraining { steps: 10 }\nlogging { every_steps: 1 }\n", "c"),
      ErrorKind::kInvalidInput,
      "c:4:27: the text ends here, expected '}' that closes 'data', opened at line 2, column 6\n"
      "c:3:1: unknown field 'training' in Data");
}

TEST(SlipTest, OnlyTheFirstFaultThatEndsParsingIsTold) {
  EXPECT_ERROR(ParseTextConfig("sede: 1\ntraining { steps: x }\nstepz = {", "c"), ErrorKind::kInvalidInput,
               AllOf(HasSubstr("c:1:1: unknown field 'sede'"), HasSubstr("c:2:19: found x"), Not(HasSubstr("stepz"))));
}

TEST(SlipTest, TextOfAnySystemIsTaken) {
  const std::string text = "# a comment\nseed: 7\ntraining { steps: 3, }\nmodel { mlp { bias: True } },\n";
  const auto with_breaks = [&](const std::string& line_break) {
    std::string changed;
    for (const char c : text) changed += c == '\n' ? line_break : std::string(1, c);
    return changed;
  };
  for (const std::string& variant : {text, with_breaks("\r\n"), with_breaks("\r"), "\xEF\xBB\xBF" + text}) {
    const proto::Config config = ParseTextConfig(variant, "c");
    EXPECT_EQ(config.seed(), 7u);
    EXPECT_EQ(config.training().steps(), 3);
    EXPECT_TRUE(config.model().mlp().bias());
  }
  EXPECT_ERROR(ParseTextConfig("\xEF\xBB\xBFseed: x", "c"), ErrorKind::kInvalidInput, HasSubstr("c:1:7: found x"));
  EXPECT_ERROR(ParseTextConfig("# one\rseed: x", "c"), ErrorKind::kInvalidInput, HasSubstr("c:2:7: found x"));
  EXPECT_ERROR(ParseTextConfig("# one\r\nseed: x", "c"), ErrorKind::kInvalidInput, HasSubstr("c:2:7: found x"));
}

TEST(SlipTest, QuotesAndBracketsInCommentsAndTextAreNone) {
  EXPECT_NO_THROW(ParseTextConfig("name: 'it\\'s } # {' # don't { [ \"\nseed: 1", "c"));
  EXPECT_ERROR(ParseTextConfig("name: 'it\\'s } # {' # don't { [ \"\nseed: x", "c"), ErrorKind::kInvalidInput,
               "c:2:7: found x, expected a whole number");
}

TEST(SlipTest, FilesThatAreNoTextAreNamed) {
  const auto expect = [](std::string_view text, const std::string& message) {
    EXPECT_ERROR(ParseTextConfig(std::string(text), "c"), ErrorKind::kInvalidInput, "c: " + message);
  };
  expect("\xff\xfem\0o\0d\0"sv, "text in UTF-16, expected UTF-8: save it anew in that encoding");
  expect("PK\x03\x04"sv, "a zip archive, as .npz, PyTorch's .pt and .xlsx files are, expected protobuf text");
  expect("\x18\0\0\0\0\0\0\0{\"a\""sv, "a safetensors file of a model's weights, expected protobuf text");
  expect("seed\0"sv, "byte 4 is zero, expected protobuf text in UTF-8");
}

TEST(SlipTest, FilesWithoutContentsAreRefused) {
  const test::TempDir dir;
  const std::string path = (dir / "c.pbtxt").string();
  for (const char* text : {"", " \n", "# comment\n\n", "\xEF\xBB\xBF\r\n"}) {
    test::WriteTextFile(path, text);
    EXPECT_ERROR(
        LoadTextConfig(path), ErrorKind::kInvalidInput,
        path + ": holds nothing but blanks and comments, if anything; expected model { ... }, data { ... } and more");
  }
  EXPECT_ERROR(LoadTextConfig(dir.path().string()), ErrorKind::kInvalidInput, HasSubstr("Is a directory"));
}

TEST(SlipTest, SweepFilesAreToldAlike) {
  proto::Sweep sweep;
  EXPECT_ERROR(ParseTextMessage("axis { field: 'seed' value: '1'\nseed: 3\n", "s", sweep), ErrorKind::kInvalidInput,
               HasSubstr("s:2:8: the text ends here, expected '}' that closes 'axis', opened at line 1, column 6"));
  EXPECT_ERROR(ParseTextMessage("base = 'x'", "s", sweep), ErrorKind::kInvalidInput,
               "s:1:6: found =, expected : between a field and its value");
  EXPECT_NO_THROW(
      ParseTextMessage("\xEF\xBB\xBF"
                       "base: 'x'",
                       "s", sweep));
}

TEST(SlipTest, OverridesAreToldAlike) {
  const auto expect = [](const std::string& assignment, const std::string& message) {
    proto::Config config;
    EXPECT_ERROR(ApplyOverride(config, assignment), ErrorKind::kInvalidInput, "--set " + assignment + ": " + message);
  };
  expect("optimizer={adamw {}", "found the end of the text, expected a field's name");
  expect("model.mlp.bias=yes", "bias: yes, expected true or false");
  expect("sparsity.target=weights", "target: unknown value weights, expected one of WEIGHT, ACTIVATION");
  expect("training.steps=", "found the end of the text, expected a whole number");
  expect("data.glyphs={seed: -1}", "found -1, expected a whole number of at least 0");
}

TEST(SlipTest, AnOverridesValueIsShownWhole) {
  const auto expect = [](const std::string& path, const std::string& value, const std::string& expected) {
    proto::Config config;
    EXPECT_ERROR(ApplyOverride(config, path + "=" + value), ErrorKind::kInvalidInput,
                 "--set " + path + "=" + value + ": found " + value + ", expected " + expected);
  };
  const std::string steps = "training.steps", lr = "learning_rate.lr", list = "model.mlp.hidden_features";
  expect("seed", "-1", "a whole number of at least 0");
  expect("seed", "99999999999999999999", "a whole number from 0 to 18446744073709551615");
  expect("threads", "-3000000000", "a whole number from -2147483648 to 2147483647");
  expect(steps, "99999999999999999999", "a whole number from -9223372036854775808 to 9223372036854775807");
  expect(steps, "1e3", "a whole number: 1000");
  expect(steps, "1.5", "a whole number");
  expect(steps, "1,000", "one whole number, without commas");
  expect(steps, "[1,2]", "one whole number, without commas");
  expect(steps, "{}", "one whole number");
  expect(steps, "10k", "a whole number");
  expect(steps, "010", "a number that does not begin with 0");
  expect(lr, "0,001", "one number, with a point for decimals: 0.001");
  expect(lr, "1/1000", "a number such as 0.001");
  expect(lr, "5%", "a number such as 0.001");
  expect(lr, "[0.1]", "one number");
  expect(lr, "010", "a number that does not begin with 0");
  expect(lr, "high", "a number");
  expect("model.mlp.bias", "2", "true or false");
  for (const std::string value : {"64,32", "64, 32", "64 32", "[64 32]", "[64;32]", "(64,32)", "64x32", "[64,32,]"}) {
    expect(list, value, "a list in brackets: [64, 32]");
  }
  proto::Config config;
  for (const std::string value : {"1e-30", "0", "0.0", "0e5", "-0", ".5", "1e-3f"}) {
    EXPECT_NO_THROW(ApplyOverride(config, lr + "=" + value)) << value;
  }
  for (const std::string value : {"0", "-0", "7", "0x10"}) EXPECT_NO_THROW(ApplyOverride(config, steps + "=" + value));
}

}  // namespace
}  // namespace twofour::train
