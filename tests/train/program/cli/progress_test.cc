#include "twofour/train/program/cli/progress.h"

#include <gtest/gtest.h>

#include <sstream>

namespace twofour::train {
namespace {

const TrainMetrics kTrain = {.step = 50, .loss = 0.25, .lr = 0.001, .grad_norm = 1, .units_per_s = 100};

TEST(FormatDurationTest, ShowsHoursOnlyWhenThereAreSome) {
  EXPECT_EQ(FormatDuration(0.4), "0:00");
  EXPECT_EQ(FormatDuration(61), "1:01");
  EXPECT_EQ(FormatDuration(3723), "1:02:03");
  EXPECT_EQ(FormatDuration(-5), "0:00");
}

TEST(ProgressSinkTest, WritesPlainLinesToAPipe) {
  std::ostringstream out;
  ProgressSink sink(out, /*terminal=*/false, 150, 10);
  sink.OnTrain(kTrain);
  sink.OnEval({.step = 150, .loss = 0.5, .details = {{"accuracy", 0.75}}});
  // 100 steps of 10 samples are left, at 100 samples/s.
  EXPECT_EQ(out.str(),
            "step  50/150  loss 0.2500  lr 1.00e-03  100 samples/s  ETA 0:10\n"
            "step 150/150  evaluation loss 0.5000  accuracy 0.7500\n");
}

TEST(ProgressSinkTest, RewritesOneLineOnATerminalAndEndsIt) {
  std::ostringstream out;
  {
    ProgressSink sink(out, /*terminal=*/true, 150, 10);
    sink.OnTrain(kTrain);
    EXPECT_EQ(out.str().find('\n'), std::string::npos);
    EXPECT_EQ(out.str().substr(0, 4), "\r\033[K");
  }
  EXPECT_EQ(out.str().back(), '\n');  // The next output, such as an error, starts on a line of its own.
}

TEST(ProgressSinkTest, ShowsWhateverTheTaskTells) {
  std::ostringstream out;
  ProgressSink sink(out, false, 9, 10);
  sink.OnTrain({.step = 8, .loss = 2, .lr = 0.5, .unit = "tokens", .units_per_s = 10, .mfu = 0.25});
  sink.OnEval({.step = 9, .loss = 1, .details = {{"perplexity", 2.71828}, {"bits_per_byte", 1.44}}});
  EXPECT_EQ(out.str(),
            "step 8/9  loss 2.0000  lr 5.00e-01  10 tokens/s  MFU 25.0 %  ETA 0:01\n"
            "step 9/9  evaluation loss 1.0000  perplexity 2.7183  bits per byte 1.4400\n");
}

TEST(ProgressSinkTest, SaysWhereTheUtilisationIsRough) {
  std::ostringstream out;
  ProgressSink(out, false, 9, 10).OnTrain({.step = 8, .units_per_s = 10, .mfu = 0.254, .mfu_is_rough = true});
  EXPECT_NE(out.str().find("  MFU about 25 %  "), std::string::npos) << out.str();
}

TEST(ProgressSinkTest, KnowsNoEtaWithoutARate) {
  std::ostringstream out;
  ProgressSink(out, false, 150, 10).OnTrain({.step = 1});
  EXPECT_NE(out.str().find("ETA ?"), std::string::npos);
}

}  // namespace
}  // namespace twofour::train
