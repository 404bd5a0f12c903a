#include "twofour/train/program/cli/signals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/train/program/cli/program_runner.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;
using test::ReadTextFile;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::ExitedWithCode;
using ::testing::HasSubstr;
using ::testing::KilledBySignal;
using ::testing::Not;

constexpr auto kMoreThanOneOrder = std::chrono::milliseconds(600);

/// Ends the process with an exit code that says which signals it saw: 0 for none, N if signal N asked for its end.
[[noreturn]] void ExitWithSignal(const StopRequest& stop) { std::_Exit(stop.stop ? stop.signal.load() : 0); }

// Each of these statements runs in a process of its own, so that signals.cc starts anew.

void AskOnce(int signal) {
  static StopRequest stop;
  HandleSignals(stop);
  raise(signal);
  ExitWithSignal(stop);
}

void AskTwice(int signal, int again, std::chrono::milliseconds pause) {
  static StopRequest stop;
  HandleSignals(stop);
  raise(signal);
  std::this_thread::sleep_for(pause);
  raise(again);
  ExitWithSignal(stop);
}

TEST(SignalsDeathTest, AllThatAskForAnEndAreHeard) {
  for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU, SIGALRM}) {
    EXPECT_EXIT(AskOnce(signal), ExitedWithCode(signal), "") << strsignal(signal);
  }
}

TEST(SignalsDeathTest, TheSameOnceMoreEndsTheProcess) {
  for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGUSR1}) {
    EXPECT_EXIT(AskTwice(signal, signal, kMoreThanOneOrder), KilledBySignal(signal), "") << strsignal(signal);
  }
}

TEST(SignalsDeathTest, WhatComesTwiceAtOnceIsOneOrder) {
  // A terminal that is closed and timeout(1) send their signal twice.
  for (const int signal : {SIGHUP, SIGTERM}) {
    EXPECT_EXIT(AskTwice(signal, signal, std::chrono::milliseconds(0)), ExitedWithCode(signal), "");
  }
}

TEST(SignalsDeathTest, AWarningAndThenTheOrderAreAnsweredInOrder) {
  EXPECT_EXIT(AskTwice(SIGUSR1, SIGTERM, kMoreThanOneOrder), ExitedWithCode(SIGUSR1), "");
}

TEST(SignalsDeathTest, TheLimitOfProcessorTimeIsRepeatedByTheKernelAndNotAnOrderToHurry) {
  EXPECT_EXIT(AskTwice(SIGXCPU, SIGXCPU, kMoreThanOneOrder), ExitedWithCode(SIGXCPU), "");
}

TEST(SignalsDeathTest, WhatIsIgnoredStaysIgnored) {
  for (const int signal : {SIGHUP, SIGINT, SIGUSR1, SIGXFSZ}) {
    EXPECT_EXIT(
        {
          std::signal(signal, SIG_IGN);
          AskOnce(signal);
        },
        ExitedWithCode(0), "");
  }
  EXPECT_EXIT(
      {
        std::signal(SIGPIPE, SIG_IGN);
        { const OutlivesReaders outlives; }
        raise(SIGPIPE);
        std::_Exit(0);
      },
      ExitedWithCode(0), "");
}

TEST(SignalsDeathTest, APipeThatNobodyReadsEndsTheProcessOnlyWhereItMay) {
  const auto write_to_nobody = [] {
    std::array<int, 2> ends{};
    if (pipe(ends.data()) != 0) std::_Exit(99);
    close(ends[0]);
    const ssize_t written = write(ends[1], "x", 1);
    return written < 0 && errno == EPIPE;
  };
  EXPECT_EXIT(
      {
        const OutlivesReaders outlives;
        std::_Exit(write_to_nobody() ? 0 : 1);
      },
      ExitedWithCode(0), "");
  EXPECT_EXIT(
      {
        { const OutlivesReaders outlives; }
        write_to_nobody();
        std::_Exit(1);
      },
      KilledBySignal(SIGPIPE), "");
}

/// Whole runs of the program.
class SignalledRunTest : public test::ProgramRunner {
 protected:
  static constexpr const char* kEndless = "training.steps=1000000000";

  /// Checks that every line of a run's metrics is whole.
  void ExpectWholeMetrics(const std::string& run) {
    const std::string text = ReadTextFile(dir_ / run / "metrics.jsonl");
    EXPECT_TRUE(text.empty() || text.ends_with('\n'));
    for (size_t begin = 0; begin < text.size(); begin = text.find('\n', begin) + 1) {
      const std::string line = text.substr(begin, text.find('\n', begin) - begin);
      EXPECT_TRUE(nlohmann::json::accept(line)) << line;
    }
  }
  void ExpectNoTemporaryFiles(const std::string& run) {
    for (const auto& entry : fs::recursive_directory_iterator(dir_ / run)) {
      EXPECT_THAT(entry.path().filename().string(), Not(HasSubstr(".tmp-")));
    }
  }
  /// The final model of a finished run.
  std::string Model(const std::string& run) { return ReadTextFile(dir_ / run / "model.safetensors"); }
};

TEST_F(SignalledRunTest, EndsInOrderAndGoesOnToTheSameBits) {
  // Steps take a while, so that some are left when the signal comes.
  const std::vector<std::string> slowly = {"--set", "training.accumulate_steps=20", "--set", "training.steps=80"};
  ASSERT_EQ(End(*StartTraining("whole", slowly)), 0) << Log();
  for (const int signal : {SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU}) {
    const std::string run = "run";
    int code = 0;
    for (int attempt = 0; code == 0 && attempt < 10; ++attempt) {  // A run on a busy machine may be done before.
      fs::remove_all(dir_ / run);
      const auto process = StartTraining(run, slowly);
      ASSERT_TRUE(AwaitTraining(*process, run)) << Log();
      process->Signal(signal);
      code = End(*process);
    }
    ASSERT_EQ(code, 128 + signal) << Log();
    EXPECT_THAT(Log(), AllOf(HasSubstr("stopped after step "), EndsWith("trainer --resume " + Path(run) + "\n")));
    EXPECT_FALSE(fs::exists(dir_ / run / "model.safetensors"));
    ExpectNoTemporaryFiles(run);
    EXPECT_EQ(End(*Start({"--resume", Path(run)})), 0) << Log();
    EXPECT_EQ(Model(run), Model("whole"));
  }
}

TEST_F(SignalledRunTest, ASecondSignalEndsAStepThatTakesLong) {
  const auto process = StartTraining("run", {"--set", "training.accumulate_steps=1000000"});
  ASSERT_TRUE(AwaitTraining(*process, "run")) << Log();
  process->Signal(SIGUSR1);
  std::this_thread::sleep_for(kMoreThanOneOrder);
  EXPECT_EQ(process->ExitCode(), std::nullopt);
  process->Signal(SIGUSR1);
  EXPECT_EQ(End(*process), 128 + SIGUSR1);
  EXPECT_THAT(Log(), Not(HasSubstr("stopped after")));
}

TEST_F(SignalledRunTest, NohupIsRespected) {
  const auto process =
      Shell("trap '' HUP; exec \"$trainer\" --config tiny.pbtxt --out run --set " + std::string(kEndless));
  ASSERT_TRUE(AwaitTraining(*process, "run")) << Log();
  process->Signal(SIGHUP);
  process->Signal(SIGTERM);
  EXPECT_EQ(End(*process), 128 + SIGTERM) << Log();
}

TEST_F(SignalledRunTest, ASuspendedRunGoesOn) {
  const auto process = StartTraining("run", {"--set", kEndless});
  ASSERT_TRUE(AwaitTraining(*process, "run")) << Log();
  process->Signal(SIGSTOP);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  process->Signal(SIGCONT);
  EXPECT_EQ(process->ExitCode(), std::nullopt);
  process->Signal(SIGHUP);
  EXPECT_EQ(End(*process), 128 + SIGHUP) << Log();
}

TEST_F(SignalledRunTest, AVanishedReaderLosesNothing) {
  ASSERT_EQ(End(*StartTraining("whole")), 0) << Log();
  // `true` reads nothing, and ends before the first line or soon after it.
  for (const std::string streams : {"", "2>&1", "2>&1 >/dev/full"}) {
    SCOPED_TRACE(streams);
    fs::remove_all(dir_ / "run");
    ASSERT_EQ(End(*Shell("{ \"$trainer\" --config tiny.pbtxt --out run " + streams + "; echo $? >code; } | true")), 0);
    EXPECT_EQ(ReadTextFile(dir_ / "code"), "0\n");
    EXPECT_EQ(Model("run"), Model("whole"));
  }
}

TEST_F(SignalledRunTest, AFullDiskBehindTheOutputLosesNothingButTheOutput) {
  for (const std::string streams : {">/dev/full", ">&-", "<&- >&- 2>&-"}) {
    fs::remove_all(dir_ / "run");
    EXPECT_EQ(End(*Shell("exec \"$trainer\" --config tiny.pbtxt --out run " + streams)), 0) << streams << Log();
    EXPECT_TRUE(fs::exists(dir_ / "run/model.safetensors"));
  }
}

TEST_F(SignalledRunTest, ASweepOutlivesItsReader) {
  test::WriteTextFile(dir_ / "trial.pbtxt", "base: 'tiny.pbtxt' seed: [1, 2] threads_per_run: 1");
  ASSERT_EQ(End(*Shell("{ \"$trainer\" sweep --config trial.pbtxt --out out 2>&1; echo $? >code; } | true")), 0);
  EXPECT_EQ(ReadTextFile(dir_ / "code"), "0\n");
  EXPECT_TRUE(fs::exists(dir_ / "out/tiny/seed-2/model.safetensors") ||
              fs::exists(dir_ / "out/base/seed-2/model.safetensors"));
  EXPECT_TRUE(fs::exists(dir_ / "out/report.html"));
}

TEST_F(SignalledRunTest, WhereTheOutputIsTheResultAVanishedReaderEndsTheProgram) {
  for (const std::string arguments : {"--help", "sweep --help", "--version", "--config tiny.pbtxt --print-config"}) {
    // The reader is gone for sure: `true` has closed its end of the pipe once the shell has seen it end.
    ASSERT_EQ(
        End(*Shell("mkfifo p; true <p & exec 3>p; wait $!; \"$trainer\" " + arguments + " >&3; echo $? >code; rm p")),
        0)
        << Log();
    EXPECT_EQ(ReadTextFile(dir_ / "code"), std::to_string(128 + SIGPIPE) + "\n") << arguments;
    EXPECT_EQ(End(*Shell("exec \"$trainer\" " + arguments + " >/dev/full")), 1);
    EXPECT_EQ(Log(), "trainer: cannot write to standard output: No space left on device\n") << arguments;
    EXPECT_EQ(End(*Shell("exec \"$trainer\" " + arguments + " >&-")), 1);
    EXPECT_EQ(Log(), "trainer: cannot write to standard output: Bad file descriptor\n") << arguments;
  }
}

TEST_F(SignalledRunTest, ASampleThatNobodyReadsIsNotDrawn) {
  test::WriteTextFile(dir_ / "gpt.pbtxt", R"(
    model { gpt { depth: 1 width: 16 heads: 2 sequence_length: 8 } }
    training { steps: 1 batch_size: 4 tokens_per_step: 32 }
    logging { tensorboard: false }
  )");
  test::WriteTextFile(dir_ / "text", std::string(1000, 'a') + std::string(1000, 'b'));
  ASSERT_EQ(
      End(*Start({"--config", Path("gpt.pbtxt"), "--out", Path("gpt"), "--set", "data.text.path=" + Path("text")})), 0)
      << Log();
  ASSERT_EQ(End(*Shell("{ \"$trainer\" sample --run gpt --tokens 1000000; echo $? >code; } | head -c 1 >/dev/null")),
            0);
  EXPECT_EQ(ReadTextFile(dir_ / "code"), std::to_string(128 + SIGPIPE) + "\n");
  EXPECT_EQ(End(*Shell("exec \"$trainer\" sample --run gpt --tokens 10 >/dev/full")), 1);
  EXPECT_EQ(Log(), "trainer: cannot write to standard output: No space left on device\n");
}

TEST_F(SignalledRunTest, ALimitOnTheSizeOfFilesIsAnOrdinaryFailure) {
  ASSERT_EQ(End(*StartTraining("whole", {"--set", "checkpoint.every_steps=10"})), 0) << Log();
  const auto model_size = fs::file_size(dir_ / "whole/checkpoints/last/model.safetensors");
  // The limit is in blocks of 512 bytes. The metrics fit, and the checkpoint does not.
  const std::string limit = std::to_string(model_size / 512 / 2);
  EXPECT_EQ(End(*Shell("ulimit -f " + limit +
                       "; exec \"$trainer\" --config tiny.pbtxt --out run --set checkpoint.every_steps=10")),
            1);
  EXPECT_THAT(Log(), AllOf(HasSubstr("trainer: step 10: cannot write "), HasSubstr("File too large")));
  ExpectNoTemporaryFiles("run");
  ExpectWholeMetrics("run");
  EXPECT_EQ(End(*Start({"--resume", Path("run")})), 0) << Log();
  EXPECT_EQ(Model("run"), Model("whole"));
}

TEST_F(SignalledRunTest, AStoppedRunDoesNotWaitForAReaderWhoDoesNotRead) {
  // Writes enough lines to fill a pipe whose reader does nothing until the end.
  const auto process = Shell(
      "{ \"$trainer\" --config tiny.pbtxt --out run --set logging.every_steps=1 --set " + std::string(kEndless) +
      " & echo $! >pid; wait $!; echo $? >code; } | while [ -e tiny.pbtxt ] && [ ! -s code ]; do sleep 0.1; done");
  const auto size = [&] {
    return fs::exists(dir_ / "run/metrics.jsonl") ? fs::file_size(dir_ / "run/metrics.jsonl") : 0;
  };
  uintmax_t last = 0;
  ASSERT_TRUE(Await([&] {
    const uintmax_t before = last;
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    last = size();
    return last > 0 && last == before;  // It waits.
  }));
  kill(std::stoi(ReadTextFile(dir_ / "pid")), SIGTERM);
  EXPECT_EQ(End(*process), 0);
  EXPECT_EQ(ReadTextFile(dir_ / "code"), std::to_string(128 + SIGTERM) + "\n");
  EXPECT_TRUE(fs::exists(dir_ / "run/checkpoints/last/trainer.json"));
}

}  // namespace
}  // namespace twofour::train
