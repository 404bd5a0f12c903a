#include "twofour/train/program/sweep/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <map>

#include "twofour/core/error.h"

#include "tests/train/program/sweep/sweep_files.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using ::testing::_;
using ::testing::AllOf;
using ::testing::AnyNumber;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::InSequence;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Optional;
using ::testing::Property;
using ::testing::SizeIs;

/// How a pretended run behaves.
struct Script {
  double seconds = 2;
  int exit_code = 0;
  bool leaves_model = true;
  int code_when_signalled = -1;  ///< -1: ends as a trainer does, with 128 + the signal.
  bool starts = true;
  bool deaf = false;  ///< Ignores everything except SIGKILL.
};

/// Stands in for trainers and for the clock. Time passes while the runner waits.
class FakeTrainers : public ProcessLauncher, public Clock {
 public:
  std::unique_ptr<Process> Start(const ProcessSpec& spec) override {
    const auto folder = std::ranges::find_if(
        spec.arguments, [](const std::string& argument) { return argument == "--out" || argument == "--resume"; });
    const fs::path path = *(folder + 1);
    const Script& script = scripts[path.parent_path().filename().string() + " " + path.filename().string()];
    if (!script.starts) throw Error("no more processes", ErrorKind::kRuntimeFailure);
    specs.push_back(spec);
    running += 1;
    most_running = std::max(most_running, running);
    return std::make_unique<FakeProcess>(*this, path, script);
  }
  double Seconds() const override { return now; }

  std::map<std::string, Script> scripts;  // By "variant seed-N".
  std::vector<ProcessSpec> specs;
  std::vector<int> signals;
  double now = 100;
  int running = 0, most_running = 0;

 private:
  class FakeProcess : public Process {
   public:
    FakeProcess(FakeTrainers& owner, fs::path folder, const Script& script)
        : owner_(owner), folder_(std::move(folder)), script_(script), began_(owner.now) {}

    std::optional<int> ExitCode() override {
      if (code_) return code_;
      if (signal_ != 0) {
        End(script_.code_when_signalled == -1 ? 128 + signal_ : script_.code_when_signalled);
      } else if (owner_.now >= began_ + script_.seconds) {
        End(script_.exit_code);
      }
      return code_;
    }
    void Signal(int signal) override {
      owner_.signals.push_back(signal);
      if (!script_.deaf || signal == SIGKILL) signal_ = signal;
    }

   private:
    void End(int code) {
      code_ = code;
      owner_.running -= 1;
      fs::create_directories(folder_);
      if (code == 0 && script_.leaves_model) test::WriteTextFile(RunFiles{folder_}.model(), "weights");
    }

    FakeTrainers& owner_;
    fs::path folder_;
    Script script_;
    double began_;
    int signal_ = 0;
    std::optional<int> code_;
  };
};

class MockObserver : public SweepObserver {
 public:
  MOCK_METHOD(void, OnStart, (const PlannedRun&, bool), (override));
  MOCK_METHOD(void, OnEnd, (const PlannedRun&, const RunEnd&, const SweepProgress&), (override));
  MOCK_METHOD(void, OnStopping, (size_t), (override));
};

auto Titled(const std::string& title) { return Property(&PlannedRun::title, title); }
auto Ended(RunEnd::Kind kind) { return Field(&RunEnd::kind, kind); }

class RunnerTest : public test::SweepFiles {
 protected:
  RunnerTest() { EXPECT_CALL(observer_, OnEnd).Times(AnyNumber()); }

  SweepResult Run(const SweepPlan& plan) {
    states_ = FindRunStates(FileSystem::Default(), plan);
    return RunSweep(plan, states_,
                    {.files = FileSystem::Default(),
                     .launcher = trainers_,
                     .clock = trainers_,
                     .observer = observer_,
                     .executable = "the-trainer",
                     .stop_signal = [this] { return trainers_.now >= stop_at_ ? stop_signal_ : 0; },
                     .wait_a_while = [this] { trainers_.now += 1; }});
  }

  FakeTrainers trainers_;
  ::testing::NiceMock<MockObserver> observer_;
  std::vector<RunState> states_;
  double stop_at_ = 1e9;
  int stop_signal_ = SIGTERM;
};

TEST_F(RunnerTest, StartsTheTrainerForEveryRun) {
  const SweepPlan plan = Plan("axis { field: 'learning_rate.lr' value: '0.5' } seed: [7, 8] threads_per_run: 3");
  const SweepResult result = Run(plan);
  EXPECT_THAT(result.finished, ElementsAre(0, 1));
  EXPECT_THAT(result.failed, IsEmpty());
  EXPECT_EQ(result.stopped_by, 0);
  ASSERT_THAT(trainers_.specs, SizeIs(2));
  const ProcessSpec& spec = trainers_.specs[1];
  EXPECT_EQ(spec.executable, "the-trainer");
  EXPECT_THAT(spec.arguments,
              ElementsAre("--config", Path("base.pbtxt"), "--out", Path("out/lr=0.5/seed-8"), "--seed", "8", "--set",
                          "learning_rate.lr=0.5", "--set", "name=\"lr=0.5\"", "--threads", "3"));
  EXPECT_EQ(spec.log, dir_ / "out/lr=0.5/seed-8.log");
  EXPECT_FALSE(spec.append);
  EXPECT_TRUE(fs::is_directory(dir_ / "out/lr=0.5"));
}

TEST_F(RunnerTest, ALauncherStartsTheTrainer) {
  const SweepPlan plan = Plan("launcher: 'mpirun  -n 2' seed: 7");
  Run(plan);
  ASSERT_THAT(trainers_.specs, SizeIs(1));
  EXPECT_EQ(trainers_.specs[0].executable, "/usr/bin/env");
  const std::vector<std::string>& arguments = trainers_.specs[0].arguments;
  ASSERT_GT(arguments.size(), 6u);
  EXPECT_THAT(std::vector(arguments.begin(), arguments.begin() + 5),
              ElementsAre("mpirun", "-n", "2", "the-trainer", "--config"));
  EXPECT_THAT(std::vector(arguments.end() - 2, arguments.end()), ElementsAre("--threads", "0"));
}

TEST_F(RunnerTest, ALauncherIsStoppedByASignalThatItPassesOn) {
  trainers_.scripts["base seed-1"].seconds = 1e6;
  Run(Plan("launcher: 'mpirun -n 2' seed: 1 seconds_per_run: 5"));
  EXPECT_THAT(trainers_.signals, ElementsAre(SIGUSR1));
}

TEST_F(RunnerTest, SkipsFinishedRunsAndGoesOnWithInterruptedOnes) {
  const SweepPlan plan = Plan("seed: [1, 2, 3]");
  LeaveRun(plan.runs[0], true);
  LeaveRun(plan.runs[1], false);
  EXPECT_THAT(Run(plan).finished, ElementsAre(0, 1, 2));
  ASSERT_THAT(trainers_.specs, SizeIs(2));
  EXPECT_THAT(trainers_.specs[0].arguments,
              ElementsAre("--resume", Path("out/base/seed-2"), "--threads", std::to_string(plan.threads_per_run)));
  EXPECT_TRUE(trainers_.specs[0].append);
  EXPECT_THAT(trainers_.specs[1].arguments, IsSupersetOf({"--out", "--seed"}));
}

TEST_F(RunnerTest, NewRunsOfASweepThatHasBegunAcceptWhatThePlanAccepts) {
  LeaveRun(Plan("seed: [1, 2]").runs[0], true);
  EXPECT_THAT(Run(Plan("seed: [1, 2]")).finished, ElementsAre(0, 1));
  ASSERT_THAT(trainers_.specs, SizeIs(1));
  EXPECT_THAT(trainers_.specs[0].arguments, Contains("--accept-idle-fields"));
}

TEST_F(RunnerTest, HasNothingToDoWhereAllIsFinished) {
  const SweepPlan plan = Plan("seed: [1, 2]");
  for (const PlannedRun& run : plan.runs) LeaveRun(run, true);
  EXPECT_THAT(Run(plan).finished, ElementsAre(0, 1));
  EXPECT_THAT(trainers_.specs, IsEmpty());
}

TEST_F(RunnerTest, RunsAsManyAtOnceAsAllowedAndNoMore) {
  for (const int at_once : {1, 2, 3}) {
    SCOPED_TRACE(at_once);
    trainers_.most_running = 0;
    trainers_.scripts["base seed-2"].seconds = 7;
    std::filesystem::remove_all(dir_ / "out");
    const double began = trainers_.now;
    Run(Plan("seed: [1, 2, 3, 4, 5, 6, 7] parallel_runs: " + std::to_string(at_once)));
    EXPECT_EQ(trainers_.most_running, at_once);
    EXPECT_EQ(trainers_.running, 0);
    // Six runs take two seconds and one takes seven. A place that becomes free is taken at once.
    EXPECT_EQ(trainers_.now - began, at_once == 1 ? 19 : at_once == 2 ? 10 : 7);
  }
}

TEST_F(RunnerTest, WaitsForWhatARunNeeds) {
  const SweepPlan plan = Plan(
      "axis { variant { name: 'again' set: 'initial_weights={run:dense}/model.safetensors' } variant { name: 'dense' } "
      "variant { name: 'other' set: 'training.steps=7' } } parallel_runs: 3");
  {
    InSequence order;
    EXPECT_CALL(observer_, OnEnd(Titled("other seed 1"), Ended(RunEnd::Kind::kFinished), _));
    EXPECT_CALL(observer_, OnEnd(Titled("dense seed 1"), Ended(RunEnd::Kind::kFinished), _));
    EXPECT_CALL(observer_, OnEnd(Titled("again seed 1"), Ended(RunEnd::Kind::kFinished), _));
  }
  trainers_.scripts["dense seed-1"].seconds = 5;
  EXPECT_THAT(Run(plan).finished, SizeIs(3));
  EXPECT_THAT(trainers_.specs.back().arguments,
              IsSupersetOf({"initial_weights=" + Path("out/dense/seed-1/model.safetensors")}));
}

TEST_F(RunnerTest, AFailureTakesThoseWithItThatNeedItAndNoOthers) {
  const SweepPlan plan = Plan(
      "axis { variant { name: 'dense' } variant { name: 'again' set: 'initial_weights={run:dense}/x' } "
      "variant { name: 'more' set: 'initial_weights={run:again}/x' } variant { name: 'other' set: 'training.steps=7' } "
      "}");
  trainers_.scripts["dense seed-1"] = {.exit_code = 1};
  EXPECT_CALL(observer_, OnEnd(Titled("dense seed 1"),
                               AllOf(Ended(RunEnd::Kind::kFailed), Field(&RunEnd::reason, "exit code 1")), _));
  EXPECT_CALL(
      observer_,
      OnEnd(Titled("again seed 1"),
            AllOf(Ended(RunEnd::Kind::kSkipped), Field(&RunEnd::reason, "needs dense seed 1, which failed")), _));
  EXPECT_CALL(
      observer_,
      OnEnd(Titled("more seed 1"),
            AllOf(Ended(RunEnd::Kind::kSkipped), Field(&RunEnd::reason, "needs again seed 1, which was skipped")), _));
  const SweepResult result = Run(plan);
  EXPECT_THAT(result.finished, ElementsAre(3));
  EXPECT_THAT(result.failed, ElementsAre(0, 1, 2));
}

TEST_F(RunnerTest, KnowsAFailureFromASuccess) {
  const SweepPlan plan = Plan("seed: [1, 2, 3]");
  trainers_.scripts["base seed-1"] = {.leaves_model = false};
  trainers_.scripts["base seed-2"] = {.exit_code = 128 + SIGKILL};
  trainers_.scripts["base seed-3"] = {.starts = false};
  EXPECT_CALL(observer_, OnEnd(Titled("base seed 1"), Field(&RunEnd::reason, "ended without model.safetensors"), _));
  EXPECT_CALL(observer_, OnEnd(Titled("base seed 2"), Field(&RunEnd::reason, "ended by signal 9 (Killed)"), _));
  EXPECT_CALL(observer_, OnEnd(Titled("base seed 3"), Field(&RunEnd::reason, HasSubstr("no more processes")), _));
  EXPECT_THAT(Run(plan).failed, ElementsAre(0, 1, 2));
}

TEST_F(RunnerTest, AskedToStopPassesTheSignalOnOnceAndWaits) {
  const SweepPlan plan = Plan("seed: [1, 2, 3, 4, 5] parallel_runs: 2");
  stop_at_ = trainers_.now + 3;  // By then one pair is done, and the next is under way.
  stop_signal_ = SIGINT;
  EXPECT_CALL(observer_, OnStopping(2));
  EXPECT_CALL(observer_, OnEnd(_, Ended(RunEnd::Kind::kInterrupted), _)).Times(2);
  EXPECT_CALL(observer_, OnEnd(_, Ended(RunEnd::Kind::kFinished), _)).Times(2);
  const SweepResult result = Run(plan);
  EXPECT_EQ(result.stopped_by, SIGINT);
  EXPECT_THAT(trainers_.signals, ElementsAre(SIGINT, SIGINT));
  EXPECT_THAT(trainers_.specs, SizeIs(4));
  EXPECT_THAT(result.finished, ElementsAre(0, 1));
  EXPECT_THAT(result.failed, IsEmpty());
}

TEST_F(RunnerTest, ARunThatAnotherSignalReachedFirstIsInterruptedAsWell) {
  // A cluster manager may send another signal to each process of a job.
  const SweepPlan plan = Plan("seed: [1, 2] parallel_runs: 2");
  trainers_.scripts["base seed-1"] = {.seconds = 9, .code_when_signalled = 128 + SIGTERM};
  trainers_.scripts["base seed-2"] = {.seconds = 9, .code_when_signalled = 128 + SIGKILL};
  stop_at_ = trainers_.now + 3;
  stop_signal_ = SIGUSR1;
  EXPECT_CALL(observer_, OnEnd(Titled("base seed 1"), Ended(RunEnd::Kind::kInterrupted), _));
  EXPECT_CALL(observer_, OnEnd(Titled("base seed 2"), Field(&RunEnd::reason, "ended by signal 9 (Killed)"), _));
  EXPECT_THAT(Run(plan).failed, ElementsAre(1));
}

TEST_F(RunnerTest, WhatEndsOtherwiseAfterTheSignalIsJudgedAsEver) {
  const SweepPlan plan = Plan("seed: [1, 2, 3] parallel_runs: 3");
  trainers_.scripts["base seed-1"] = {.seconds = 9, .code_when_signalled = 0};  // It finished just then.
  trainers_.scripts["base seed-2"] = {.seconds = 9, .code_when_signalled = 1};  // It could not write its checkpoint.
  trainers_.scripts["base seed-3"] = {.seconds = 9};
  stop_at_ = trainers_.now + 3;
  const SweepResult result = Run(plan);
  EXPECT_THAT(result.finished, ElementsAre(0));
  EXPECT_THAT(result.failed, ElementsAre(1));
}

TEST_F(RunnerTest, StopsBeforeTheFirstRunWhereAskedThatEarly) {
  stop_at_ = 0;
  const SweepResult result = Run(Plan("seed: [1, 2]"));
  EXPECT_EQ(result.stopped_by, SIGTERM);
  EXPECT_THAT(trainers_.specs, IsEmpty());
}

TEST_F(RunnerTest, TellsHowFarItIsAndHowLongItTakes) {
  const SweepPlan plan = Plan("seed: [1, 2, 3, 4]");
  LeaveRun(plan.runs[0], true);
  const auto progress = [](size_t ended, const auto& left) {
    return AllOf(Field(&SweepProgress::ended, ended), Field(&SweepProgress::seconds_left, left));
  };
  {
    InSequence order;
    EXPECT_CALL(observer_, OnEnd(Titled("base seed 2"), Field(&RunEnd::seconds, 2), progress(2, Optional(4.0))));
    EXPECT_CALL(observer_, OnEnd(Titled("base seed 3"), _, progress(3, Optional(2.0))));
    EXPECT_CALL(observer_, OnEnd(Titled("base seed 4"), _, progress(4, std::nullopt)));
  }
  Run(plan);
}

TEST_F(RunnerTest, ARunThatTakesTooLongIsAskedToStop) {
  const SweepPlan plan = Plan("seed: [1, 2, 3] seconds_per_run: 5 parallel_runs: 2");
  trainers_.scripts["base seed-1"].seconds = 1e6;
  trainers_.scripts["base seed-2"].seconds = 5;  // Just in time.
  EXPECT_CALL(observer_,
              OnEnd(Titled("base seed 1"),
                    AllOf(Ended(RunEnd::Kind::kTimedOut), Field(&RunEnd::reason, "took longer than 5 s")), _));
  const SweepResult result = Run(plan);
  EXPECT_THAT(trainers_.signals, ElementsAre(SIGTERM));
  EXPECT_THAT(result.finished, ElementsAre(1, 2));
  EXPECT_THAT(result.failed, ElementsAre(0));
  EXPECT_EQ(result.stopped_by, 0);
}

TEST_F(RunnerTest, ARunThatHangsIsKilledAMinuteAfterItWasAskedToStop) {
  const SweepPlan plan = Plan(
      "axis { variant { name: 'dense' } variant { name: 'again' set: 'initial_weights={run:dense}/x' } } "
      "seconds_per_run: 5");
  trainers_.scripts["dense seed-1"] = {.seconds = 1e6, .deaf = true};
  EXPECT_CALL(
      observer_,
      OnEnd(Titled("dense seed 1"),
            AllOf(Ended(RunEnd::Kind::kTimedOut),
                  Field(&RunEnd::reason, "took longer than 5 s and did not stop within 60 s of being asked to")),
            _));
  EXPECT_CALL(observer_, OnEnd(Titled("again seed 1"),
                               AllOf(Ended(RunEnd::Kind::kSkipped),
                                     Field(&RunEnd::reason, "needs dense seed 1, which took too long")),
                               _));
  const double began = trainers_.now;
  EXPECT_THAT(Run(plan).failed, ElementsAre(0, 1));
  EXPECT_THAT(trainers_.signals, ElementsAre(SIGTERM, SIGKILL));
  EXPECT_LT(trainers_.now - began, 70);
}

TEST_F(RunnerTest, ARunThatFinishesAfterAllIsFinished) {
  const SweepPlan plan = Plan("seconds_per_run: 5");
  trainers_.scripts["base seed-1"] = {.seconds = 1e6, .code_when_signalled = 0};
  EXPECT_THAT(Run(plan).finished, ElementsAre(0));
}

TEST_F(RunnerTest, TellsOfEveryStart) {
  const SweepPlan plan = Plan("seed: [1, 2]");
  LeaveRun(plan.runs[1], false);
  EXPECT_CALL(observer_, OnStart(Titled("base seed 1"), false));
  EXPECT_CALL(observer_, OnStart(Titled("base seed 2"), true));
  Run(plan);
}

}  // namespace
}  // namespace twofour::train
