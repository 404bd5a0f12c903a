#include "twofour/train/program/cli/sweep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <sstream>
#include <thread>

#include "twofour/core/error.h"
#include "twofour/train/program/sweep/process.h"
#include "twofour/train/run_folder.h"

#include "tests/support/folder_snapshot.h"
#include "tests/support/sanitized.h"
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
using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kTrainer = TWOFOUR_BINARY_DIR "/bin/trainer";

/// Sweeps of a tiny config. The trainer itself makes the runs.
class SweepTest : public AppRunner {
 protected:
  SweepTest() {
    WriteTextFile(dir_ / "base.pbtxt", R"(
      model { residual_mlp { width: 16 hidden_features: 32 num_blocks: 1 } }
      data { glyphs { train_size: 64 eval_size: 32 } }
      training { steps: 6 batch_size: 16 }
      evaluation { every_steps: 1000000 }
      checkpoint { every_steps: 0 }
      logging { every_steps: 1000 tensorboard: false }
    )");
  }

  void WriteSweep(const std::string& text) {
    WriteTextFile(dir_ / "trial.pbtxt", "base: 'base.pbtxt' threads_per_run: 1 " + text);
  }

  /// Runs the sweep in this process.
  Outcome Sweep() {
    std::ostringstream out, err;
    const SweepServices services{kTrainer, [this](const ReportOptions& report) {
                                   reports_.push_back(report);
                                   WriteReport(FileSystem::Default(), report);
                                 }};
    const int code =
        train::Sweep({.config = Path("trial.pbtxt"), .out = Path("out")}, {out, err, false, stop_, alone_}, services);
    return {code, out.str(), err.str()};
  }

  /// Starts `trainer sweep` as a process of its own.
  std::unique_ptr<Process> Start() {
    return ProcessLauncher::Default().Start(
        {kTrainer, {"sweep", "--config", Path("trial.pbtxt"), "--out", Path("out")}, dir_ / "log", false});
  }

  /// Returns whether the condition became true within a minute.
  static bool Await(const std::function<bool()>& condition) {
    for (int i = 0; i < 6000; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  static std::optional<int> AwaitEnd(Process& process) {
    Await([&] { return process.ExitCode().has_value(); });
    return process.ExitCode();
  }

  /// Waits until a run has begun to train. Returns false if the sweep ends before.
  bool AwaitTraining(Process& sweep, const std::string& run) {
    const auto trains = [&] { return fs::exists(dir_ / run / "metrics.jsonl"); };
    return Await([&] { return trains() || sweep.ExitCode(); }) && trains();
  }

  /// Whether no process works in a run's folder.
  bool IsLeft(const std::string& run) {
    try {
      RunFolder::Open(FileSystem::Default(), dir_ / run);
      return true;
    } catch (const Error&) {
      return false;
    }
  }

  std::vector<ReportOptions> reports_;
};

TEST_F(SweepTest, ASweepThatAnEarlierVersionBeganIsFinished) {
  WriteSweep("seed: 1");
  ASSERT_EQ(Sweep().code, 0);
  // Earlier versions accepted a field that has no effect.
  std::string config = ReadTextFile(dir_ / "out/base/seed-1/config.pbtxt");
  const std::string none = "max_batches: 0";
  config.replace(config.find(none), none.size(), "max_batches: 3");
  WriteTextFile(dir_ / "out/base/seed-1/config.pbtxt", config);
  WriteSweep("seed: [1, 2] set: 'evaluation.max_batches=3'");
  const Outcome outcome = Sweep();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("2 of 2 runs finished"));
}

TEST_F(SweepTest, NothingIsWrittenIntoTheFolderOfARun) {
  fs::create_directories(dir_ / "out/checkpoints");
  WriteTextFile(dir_ / "out/config.pbtxt", "seed: 1");
  WriteSweep("seed: 1");
  const auto before = test::SnapshotOf(dir_.path());
  EXPECT_THAT([&] { Sweep(); }, ::testing::ThrowsMessage<Error>(HasSubstr("out, the folder of a run")));
  EXPECT_EQ(test::SnapshotOf(dir_.path()), before);
}

TEST_F(SweepTest, TrainsEveryRunAndReportsOnThem) {
  WriteSweep(
      "axis { variant { name: 'dense' } variant { name: 'sparse' set: 'sparsity.enabled=true' } } "
      "parallel_runs: 2 baseline: 'dense'");
  const Outcome outcome = Sweep();
  ASSERT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("trial: 2 runs: 0 finished, 0 to go on with, 2 to start; 2 at once, 1 thread each\n"),
                    ContainsRegex("\\[1/2\\] (dense|sparse) seed 1: evaluation loss [0-9.]+ in 0:[0-9]+"),
                    HasSubstr("\n[2/2] "), HasSubstr("\n2 of 2 runs finished, in 0:"),
                    HasSubstr("report: " + Path("out/report.html\n"))));
  for (const char* run : {"out/dense/seed-1", "out/sparse/seed-1"}) {
    EXPECT_TRUE(fs::exists(dir_ / run / "model.safetensors")) << run;
  }
  EXPECT_THAT(ReadTextFile(dir_ / "out/sparse/seed-1/config.pbtxt"),
              AllOf(HasSubstr("name: \"sparse\""), HasSubstr("threads: 1")));
  EXPECT_THAT(ReadTextFile(dir_ / "out/sparse/seed-1.log"), HasSubstr("2:4 sparsity enabled"));
  ASSERT_EQ(reports_.size(), 1u);
  EXPECT_THAT(reports_[0].runs, ElementsAre(dir_ / "out/dense/seed-1", dir_ / "out/sparse/seed-1"));
  EXPECT_EQ(reports_[0].baseline, "dense");
  EXPECT_EQ(reports_[0].title, "trial");

  // A second start makes nothing but the report.
  const auto written = fs::last_write_time(dir_ / "out/dense/seed-1/model.safetensors");
  const Outcome again = Sweep();
  EXPECT_EQ(again.code, 0);
  EXPECT_THAT(again.out, AllOf(HasSubstr("2 finished"), Not(HasSubstr("[2/2]"))));
  EXPECT_EQ(fs::last_write_time(dir_ / "out/dense/seed-1/model.safetensors"), written);
  EXPECT_EQ(reports_.size(), 2u);
}

TEST_F(SweepTest, ALauncherStartsEveryRun) {
  WriteSweep("seed: 1 launcher: 'env BY_A_LAUNCHER=1 nice'");
  const std::unique_ptr<Process> sweep = Start();
  EXPECT_EQ(AwaitEnd(*sweep), 0) << ReadTextFile(dir_ / "log");
  EXPECT_TRUE(fs::exists(dir_ / "out/base/seed-1/model.safetensors"));
}

TEST_F(SweepTest, ALauncherThatDoesNotExistIsRefusedBeforeAnythingIsWritten) {
  WriteSweep("launcher: 'A=1 mpirunn -n 2'");
  for (const bool dry_run : {true, false}) {
    std::vector<std::string> arguments = {"sweep", "--config", Path("trial.pbtxt"), "--out", Path("out")};
    if (dry_run) arguments.emplace_back("--dry-run");
    EXPECT_THAT(Run(arguments), FailsWith(2, HasSubstr("launcher: 'mpirunn', expected a program that exists")));
  }
  EXPECT_FALSE(fs::exists(dir_ / "out"));
}

TEST_F(SweepTest, IsNotMadeIntoTheFolderOfARun) {
  ASSERT_EQ(Run({"--config", Path("base.pbtxt"), "--out", Path("out")}).code, 0);
  WriteSweep("");
  const auto before = test::SnapshotOf(dir_ / "out");
  for (const bool dry_run : {true, false}) {
    std::vector<std::string> arguments = {"sweep", "--config", Path("trial.pbtxt"), "--out", Path("out")};
    if (dry_run) arguments.emplace_back("--dry-run");
    EXPECT_THAT(Run(arguments), FailsWith(2, HasSubstr("the folder of a run")));
  }
  EXPECT_EQ(test::SnapshotOf(dir_ / "out"), before);
}

TEST_F(SweepTest, ARunThatFailsIsShownAndTheOthersGoOn) {
  WriteSweep(
      "axis { variant { name: 'bad' set: 'data.csv={path: \"no/such.csv\"}' } variant { name: 'good' } } "
      "baseline: 'bad'");
  const Outcome outcome = Sweep();
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, AllOf(ContainsRegex("\\[1/2\\] bad seed 1: failed after 0:[0-9]+: exit code 2; the end of "),
                                 HasSubstr("    trainer: "), HasSubstr("no/such.csv"),
                                 HasSubstr("[2/2] good seed 1: evaluation loss")));
  EXPECT_EQ(outcome.err, "trainer: 1 of 2 runs are not finished: bad seed 1\n");
  ASSERT_EQ(reports_.size(), 1u);
  EXPECT_THAT(reports_[0].runs, ElementsAre(dir_ / "out/bad/seed-1", dir_ / "out/good/seed-1"));
  EXPECT_EQ(reports_[0].baseline, "good");  // The baseline has no results to compare with.
  EXPECT_THAT(
      ReadTextFile(dir_ / "out/report.csv"),
      ContainsRegex(
          "\"bad\",1,no,0,6,.*,failed,\"exit code 2: config: data.csv.path: cannot read no/such.csv[^\n]*\"\n"));
  EXPECT_THAT(
      ReadTextFile(dir_ / "out/report.html"),
      HasSubstr(
          "failed: left out of the statistics<small>exit code 2: config: data.csv.path: cannot read no/such.csv"));
}

TEST_F(SweepTest, EveryPlannedRunIsReportedOnHoweverItEnded) {
  WriteSweep(
      "axis { variant { name: 'hot' set: 'learning_rate.lr=1e30' } "
      "variant { name: 'after' set: 'initial_weights={run:hot}/model.safetensors' } variant { name: 'good' } } ");
  EXPECT_EQ(Sweep().code, 1);
  const std::string csv = ReadTextFile(dir_ / "out/report.csv");
  EXPECT_THAT(csv, ContainsRegex("\"hot\",1,no,.*,failed,\"exit code 1: step [0-9]+: the "));
  EXPECT_THAT(csv, ContainsRegex("\"after\",1,no,.*,skipped,\"needs hot seed 1, which failed\"\n"));
  EXPECT_THAT(csv, ContainsRegex("\"good\",1,yes,.*,finished,\"\"\n"));

  // `trainer report` says the same about the folder, even if it was moved.
  ASSERT_EQ(Run({"report", Path("out"), "--out", Path("again.html")}).code, 0);
  EXPECT_EQ(ReadTextFile(dir_ / "again.csv"), csv);
  EXPECT_EQ(ReadTextFile(dir_ / "again.html"), ReadTextFile(dir_ / "out/report.html"));
  fs::rename(dir_ / "out", dir_ / "moved");
  ASSERT_EQ(Run({"report", Path("moved"), "--out", Path("again.html")}).code, 0);
  EXPECT_THAT(ReadTextFile(dir_ / "again.csv"), HasSubstr(",skipped,\"needs hot seed 1, which failed\"\n"));
}

TEST_F(SweepTest, WhereEverythingFailsTheReportSaysWhy) {
  WriteSweep("set: 'data.csv={path: \"no/such.csv\"}'");
  EXPECT_EQ(Sweep().code, 1);
  EXPECT_THAT(ReadTextFile(dir_ / "out/report.csv"),
              HasSubstr(",failed,\"exit code 2: config: data.csv.path: cannot read no/such.csv"));
}

TEST_F(SweepTest, AReportThatCannotBeWrittenTakesNothingWithIt) {
  WriteSweep("");
  fs::create_directories(dir_ / "out/base");  // An earlier start has left it.
  fs::create_directories(dir_ / "out/report.html");
  const Outcome outcome = Sweep();
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("trainer: report: " + Path("out/report.html: cannot be written: it is a folder")));
  EXPECT_TRUE(fs::exists(dir_ / "out/base/seed-1/model.safetensors"));
}

TEST_F(SweepTest, ADamagedRecordIsWrittenAnew) {
  WriteSweep("");
  fs::create_directories(dir_ / "out");
  WriteTextFile(dir_ / "out/sweep.json", "{");
  const Outcome outcome = Sweep();
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("note: " + Path("out/sweep.json: expected an object; it is written anew")));
  EXPECT_THAT(ReadTextFile(dir_ / "out/sweep.json"), HasSubstr("\"state\": \"finished\""));
}

TEST_F(SweepTest, AnEarlyStoppedRunIsFinished) {
  WriteSweep(
      "set: 'training.steps=100000' set: 'training.stop_after_evaluations_without_gain=1' "
      "set: 'evaluation.every_steps=1' set: 'learning_rate.lr=0.1' set: 'checkpoint.final=BEST'");
  const Outcome outcome = Sweep();
  ASSERT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  EXPECT_THAT(ReadTextFile(dir_ / "out/report.html"), HasSubstr("finished early, for want of gain"));
  EXPECT_THAT(Sweep().out, HasSubstr("1 finished, 0 to go on with"));
}

TEST_F(SweepTest, ARunThatTakesTooLongIsListedAndGoneOnWith) {
  WriteSweep(
      "axis { variant { name: 'endless' set: 'training.steps=100000000' } variant { name: 'short' } } "
      "seconds_per_run: 1");
  const Outcome outcome = Sweep();
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, ContainsRegex("endless seed 1: ended after 0:[0-9]+: took longer than 1 s"));
  EXPECT_THAT(
      ReadTextFile(dir_ / "out/report.csv"),
      ContainsRegex("\"endless\",1,no,.*,timed out,\"took longer than 1 s; its last line: stopped after step "));
  EXPECT_TRUE(fs::exists(dir_ / "out/endless/seed-1/checkpoints/last/trainer.json"));
  EXPECT_THAT(Run({"sweep", "--config", Path("trial.pbtxt"), "--out", Path("out"), "--dry-run"}).out,
              HasSubstr("1 finished, 1 to go on with, 0 to start"));
}

TEST_F(SweepTest, ASignalReachesTheRunsAndTheSweepGoesOnLater) {
  // Steps enough for the signal to find both runs at work.
  WriteSweep("seed: [1, 2] parallel_runs: 2 set: 'training.steps=" +
             std::string(test::kSanitized ? "2000'" : "20000'"));
  const auto sweep = Start();
  for (const char* run : {"out/base/seed-1", "out/base/seed-2"}) {
    ASSERT_TRUE(AwaitTraining(*sweep, run)) << ReadTextFile(dir_ / "log");
  }
  sweep->Signal(SIGUSR1);
  EXPECT_EQ(AwaitEnd(*sweep), 128 + SIGUSR1) << ReadTextFile(dir_ / "log");
  EXPECT_THAT(ReadTextFile(dir_ / "log"),
              AllOf(HasSubstr("stopping: waiting for 2 runs to write a checkpoint"),
                    HasSubstr("stopped with 0 of 2 runs finished; go on with: trainer sweep --config " +
                              Path("trial.pbtxt") + " --out " + Path("out\n"))));
  for (const char* run : {"out/base/seed-1", "out/base/seed-2"}) {
    EXPECT_TRUE(fs::exists(dir_ / run / "checkpoints/last/trainer.json")) << run;
    EXPECT_FALSE(fs::exists(dir_ / run / "model.safetensors")) << run;
    EXPECT_TRUE(IsLeft(run)) << run;
  }
  // There is a report on the runs as they are.
  EXPECT_THAT(ReadTextFile(dir_ / "out/report.csv"),
              ContainsRegex("\"base\",1,no,.*,interrupted,\"stopped by signal 10; its last line: stopped after step "));
  EXPECT_THAT(ReadTextFile(dir_ / "out/report.html"), HasSubstr("0 finished runs, 2 interrupted"));

  const Outcome outcome = Sweep();
  ASSERT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("2 to go on with"));
  EXPECT_THAT(ReadTextFile(dir_ / "out/base/seed-1.log"),
              AllOf(HasSubstr("stopped after step"), HasSubstr("resuming after step")));
  EXPECT_TRUE(fs::exists(dir_ / "out/base/seed-2/model.safetensors"));
}

TEST_F(SweepTest, AskedToStopBeforeTheFirstRunItStartsNone) {
  WriteSweep("");
  stop_.signal = SIGTERM;
  stop_.stop = true;
  const Outcome outcome = Sweep();
  EXPECT_EQ(outcome.code, 128 + SIGTERM);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("stopped with 0 of 1 runs finished"), Not(HasSubstr("waiting"))));
  EXPECT_FALSE(fs::exists(dir_ / "out/base/seed-1"));
  EXPECT_THAT(ReadTextFile(dir_ / "out/report.csv"),
              HasSubstr(",not started,\"the sweep was stopped by signal 15\"\n"));
}

TEST_F(SweepTest, NoRunOutlivesTheSweep) {
  WriteSweep("set: 'training.steps=100000000'");
  const auto sweep = Start();
  ASSERT_TRUE(AwaitTraining(*sweep, "out/base/seed-1")) << ReadTextFile(dir_ / "log");
  EXPECT_FALSE(IsLeft("out/base/seed-1"));
  sweep->Signal(SIGKILL);
  EXPECT_EQ(AwaitEnd(*sweep), 128 + SIGKILL);
  EXPECT_TRUE(Await([&] { return IsLeft("out/base/seed-1"); }));
  ASSERT_EQ(Run({"report", Path("out"), "--out", Path("r.html")}).code, 0);
  EXPECT_THAT(ReadTextFile(dir_ / "r.csv"), HasSubstr(",interrupted,\"its sweep ended without waiting for it\"\n"));
}

TEST_F(SweepTest, TwoSweepsDoNotShareAFolder) {
  WriteSweep("set: 'training.steps=100000000'");
  const auto sweep = Start();
  ASSERT_TRUE(AwaitTraining(*sweep, "out/base/seed-1")) << ReadTextFile(dir_ / "log");
  EXPECT_THAT(Run({"sweep", "--config", Path("trial.pbtxt"), "--out", Path("out")}),
              FailsWith(2, HasSubstr("another sweep is at work")));
}

TEST_F(SweepTest, ADryRunListsTheRunsAndWritesNothing) {
  WriteSweep("axis { variant { name: 'dense' } variant { name: 'again' set: 'initial_weights={run:dense}/x' } }");
  const Outcome outcome = Run({"sweep", "--config", Path("trial.pbtxt"), "--out", Path("out/"), "--dry-run"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("  dense seed 1  " + Path("out/dense/seed-1") + "  to start\n"),
                    HasSubstr("  again seed 1  " + Path("out/again/seed-1") + "  to start after dense seed 1\n"),
                    HasSubstr("nothing written")));
  EXPECT_FALSE(fs::exists(dir_ / "out"));
}

TEST_F(SweepTest, WhatIsWrongIsSaidBeforeAnythingIsWritten) {
  const auto sweep = [this](const std::string& text) {
    WriteSweep(text);
    return Run({"sweep", "--config", Path("trial.pbtxt"), "--out", Path("out")});
  };
  EXPECT_THAT(sweep("axis { field: 'training.stepz' value: '3' }"),
              FailsWith(2, HasSubstr("unknown field 'stepz' in Training (did you mean 'steps'?)")));
  EXPECT_THAT(sweep("seed: [2, 2]"), FailsWith(2, HasSubstr("seed: 2 twice")));
  EXPECT_THAT(sweep("parallel: 2"), FailsWith(2, HasSubstr("trial.pbtxt:1:39: unknown field 'parallel' in Sweep")));
  EXPECT_THAT(sweep("axis { variant { name: 'a' } variant { name: 'b' set: 'training.steps=0' } }"),
              FailsWith(2, HasSubstr("variant 'b': config: training.steps: 0")));
  EXPECT_FALSE(fs::exists(dir_ / "out"));
  fs::create_directories(dir_ / "out/base/seed-2");
  WriteTextFile(dir_ / "out/base/seed-2/notes", "");
  EXPECT_THAT(sweep("seed: [1, 2]"), FailsWith(2, HasSubstr("seed-2: exists already")));
  EXPECT_FALSE(fs::exists(dir_ / "out/base/seed-1"));
}

TEST_F(SweepTest, ArgumentsAreChecked) {
  EXPECT_THAT(Run({"sweep"}), FailsWith(2, HasSubstr("--config")));
  EXPECT_THAT(Run({"sweep", "--config", Path("none.pbtxt")}), FailsWith(2, HasSubstr("none.pbtxt")));
  EXPECT_THAT(Run({"sweep", "--set", "x=1"}), FailsWith(2, HasSubstr("trainer sweep --help")));
  const Outcome help = Run({"sweep", "--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.out, AllOf(HasSubstr("--dry-run"), HasSubstr("report.html")));
  EXPECT_THAT(Run({"--help"}).out, HasSubstr("trainer sweep"));
}

}  // namespace
}  // namespace twofour::train
