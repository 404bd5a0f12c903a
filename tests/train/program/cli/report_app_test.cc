#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/text_file.h"
#include "tests/train/program/cli/app_runner.h"
#include "tests/train/program/report/test_runs.h"

namespace twofour::train {
namespace {

using test::AppRunner;
using test::FailsWith;
using test::MakeRun;
using test::Metrics;
using test::Outcome;
using test::ReadTextFile;
using test::RunConfig;
using ::testing::AllOf;
using ::testing::HasSubstr;

using ReportAppTest = AppRunner;

TEST_F(ReportAppTest, ReportsOnRunsThatItTrained) {
  for (const char* variant : {"dense", "sparse"}) {
    for (const char* seed : {"1", "2"}) {
      test::WriteTextFile(dir_ / "a.pbtxt", RunConfig(variant, 1));
      const Outcome trained =
          Run({"--config", Path("a.pbtxt"), "--out", Path(variant + std::string(seed)), "--seed", seed, "--set",
               "data.glyphs.train_size=100", "--set", "data.glyphs.eval_size=50", "--set", "training.steps=6", "--set",
               "evaluation.every_steps=3", "--set", "logging.every_steps=1", "--set", "sparsity.multiple_of=4",
               variant == std::string("sparse") ? "--sparse" : "--dense"});
      ASSERT_EQ(trained.code, 0) << trained.err;
    }
  }
  const Outcome outcome = Run({"report", Path("dense1"), Path("dense2"), Path("sparse1"), Path("sparse2"), "--out",
                               Path("r.html"), "--baseline", "dense", "--title", "Trained here"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("4 runs in 2 groups\n"), HasSubstr("r.html"), HasSubstr("r.csv")));
  const std::string page = ReadTextFile(dir_ / "r.html");
  for (const char* part :
       {"Trained here", "Every group has 2 finished seeds.", "Flip rate", "Retained L1", "Measured sparsity",
        "Gradient on masked weights", "samples/s", "Evaluation loss over training time", "Training time",
        "Time to the baseline's final loss"}) {
    EXPECT_THAT(page, HasSubstr(part));
  }
}

TEST_F(ReportAppTest, SaysWhatItLeftOut) {
  MakeRun(dir_ / "a", RunConfig("a", 1), Metrics(0.5) + "{\"st");
  MakeRun(dir_ / "b", RunConfig("a", 2), Metrics(0.5), /*finished=*/false);
  const Outcome outcome = Run({"report", Path("a"), Path("b"), "--out", Path("r.html")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("metrics.jsonl:5: skipped the last line"));
  EXPECT_THAT(outcome.out, HasSubstr("2 runs in 1 group, 1 unfinished and left out of the statistics"));
}

TEST_F(ReportAppTest, BadInputExitsWithTwo) {
  MakeRun(dir_ / "a", RunConfig("a", 1), "{\n");
  EXPECT_THAT(Run({"report"}), FailsWith(2, HasSubstr("see trainer report --help")));
  EXPECT_THAT(Run({"report", Path("none"), "--out", Path("r.html")}), FailsWith(2, HasSubstr("not a run's folder")));
  EXPECT_THAT(Run({"report", Path("a"), "--out", Path("r.html")}), FailsWith(2, HasSubstr("metrics.jsonl:1:")));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "r.html"));
}

TEST_F(ReportAppTest, HelpIsNoError) {
  const Outcome outcome = Run({"report", "--help"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("--baseline"), HasSubstr("--out"), HasSubstr("RUN")));
}

TEST_F(ReportAppTest, WhatIsNoRunIsSkippedWithANoteOnStandardError) {
  MakeRun(dir_ / "a", RunConfig("a", 1), Metrics(0.5));
  std::filesystem::create_directory(dir_ / "empty");
  test::WriteTextFile(dir_ / "file", "");
  const Outcome outcome = Run({"report", Path("a"), Path("empty"), Path("file"), "--out", Path("r.html")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("note: " + Path("empty: skipped: an empty folder\n")),
                                 HasSubstr("note: " + Path("file: skipped: a file, no run's folder\n"))));
  EXPECT_THAT(outcome.out, HasSubstr("1 run in 1 group\n"));
  const Outcome nothing = Run({"report", Path("empty"), Path("file"), "--out", Path("x.html")});
  EXPECT_EQ(nothing.code, 2);
  EXPECT_THAT(nothing.err, HasSubstr("trainer: no runs to report on: nothing that was named is a run\n"));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "x.html"));
}

}  // namespace
}  // namespace twofour::train
