// The command that measures patterns.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <string>

#include "tests/support/folder_snapshot.h"
#include "tests/train/program/cli/config_runner.h"

namespace twofour::train {
namespace {

using test::ConfigRunner;
using test::FailsWith;
using test::Outcome;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr const char* kDenseConfig = R"(
model { residual_mlp { width: 32 hidden_features: 64 num_blocks: 1 } }
data { glyphs { train_size: 128 eval_size: 32 } }
training { steps: 8 batch_size: 64 }
)";

class SuggestPatternAppTest : public ConfigRunner {
 protected:
  SuggestPatternAppTest() : ConfigRunner(kDenseConfig) {}
};

TEST_F(SuggestPatternAppTest, MeasuresPatternsAndWritesNothing) {
  const Outcome outcome = Run({"suggest-pattern", "--config", Path("tiny.pbtxt"), "--v", "4,16", "--m", "8", "--rounds",
                               "1", "--speedup", "0"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("1 x [64, 32] with 64 rows, 1 x [32, 64] with 64 rows of f32"),
                                 HasSubstr("\n2:4 "), HasSubstr("\n4:2:8 "), HasSubstr("\n16:2:8 "), HasSubstr("  *\n"),
                                 // All are fast enough, so it is the one with most masks.
                                 HasSubstr("suggested: --set 'sparsity={enabled: true algorithm: EXACT}' ")));
  EXPECT_THAT(test::SnapshotOf(dir_ / ""), SizeIs(1));  // The config.
}

TEST_F(SuggestPatternAppTest, TheSuggestionCanBeTrained) {
  for (const std::string recipe :
       {"algorithm: ROWS rows { keep: 2 of: 8 } exclude: '.*c_proj'",
        "schedule { shape: LINEAR end { fraction: 0.5 } } dense_warmup: 0.1",
        "algorithm: VNM vnm { v: 4 m: 32 } stages { begin { step: 2 } m: 32 } interval: 2"}) {
    const std::string given = "sparsity={enabled: true " + recipe + "}";
    const Outcome outcome = Run({"suggest-pattern", "--config", Path("tiny.pbtxt"), "--set", given, "--v", "8", "--m",
                                 "8", "--rounds", "1", "--speedup", "0"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const size_t begin = outcome.out.find("--set '") + 7, end = outcome.out.find('\'', begin);
    ASSERT_NE(end, std::string::npos) << outcome.out;
    const Outcome training = Run(
        {"--config", Path("tiny.pbtxt"), "--dry-run", "--set", given, "--set", outcome.out.substr(begin, end - begin)});
    EXPECT_EQ(training.code, 0) << training.err;
    EXPECT_THAT(training.out, HasSubstr("sparsity enabled"));
  }
}

TEST_F(SuggestPatternAppTest, SaysThatNoneIsFastEnough) {
  const Outcome outcome = Run({"suggest-pattern", "--config", Path("tiny.pbtxt"), "--v", "4", "--m", "8", "--rounds",
                               "1", "--speedup", "1000"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("none is 1000 times as fast as dense products here: the fastest is "));
}

TEST_F(SuggestPatternAppTest, RefusesWhatNoPatternHas) {
  const auto suggest = [this](const std::string& option, const std::string& value) {
    return Run({"suggest-pattern", "--config", Path("tiny.pbtxt"), option, value});
  };
  EXPECT_THAT(
      suggest("--v", "64,6"),
      FailsWith(2, HasSubstr("suggest-pattern: V:N:M pattern 6:2:5: v is 6, expected a multiple of 4 from 4 to")));
  EXPECT_THAT(suggest("--m", "4"), FailsWith(2, HasSubstr("m is 4, expected 5 to 32")));
  EXPECT_THAT(suggest("--m", "8.5"), FailsWith(2, HasSubstr("--m: 8.5, expected a whole number")));
  EXPECT_THAT(suggest("--set", "sparsity.target=ACTIVATION"), FailsWith(2, HasSubstr("expected WEIGHT")));
  stop_.signal = SIGUSR1;
  stop_.stop = true;
  EXPECT_EQ(suggest("--v", "4").code, 128 + SIGUSR1);
}

}  // namespace
}  // namespace twofour::train
