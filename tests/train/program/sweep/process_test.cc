#include "twofour/train/program/sweep/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <string>
#include <thread>

#include "twofour/train/program/cli/signals.h"

#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour::train {
namespace {

using test::ReadTextFile;
using ::testing::AllOf;
using ::testing::HasSubstr;

class ProcessTest : public ::testing::Test {
 protected:
  std::unique_ptr<Process> Shell(const std::string& script, bool append = false) {
    return ProcessLauncher::Default().Start({"/bin/sh", {"-c", script}, dir_ / "log", append});
  }

  static int Wait(Process& process) {
    for (;;) {
      if (const std::optional<int> code = process.ExitCode()) return *code;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  /// Waits until the child has printed a line, and returns it.
  std::string Log() {
    for (int i = 0; i < 10000; ++i) {
      const std::string text = ReadTextFile(dir_ / "log");
      if (text.ends_with('\n')) return text;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return "";
  }

  test::TempDir dir_;
};

TEST_F(ProcessTest, LogsBothStreamsAndReadsNothing) {
  EXPECT_EQ(Wait(*Shell("echo out; echo err >&2; cat; exit 3")), 3);
  EXPECT_EQ(ReadTextFile(dir_ / "log"), "out\nerr\n");
}

TEST_F(ProcessTest, AppendsWhenToldTo) {
  Wait(*Shell("echo first"));
  Wait(*Shell("echo second", true));
  EXPECT_EQ(ReadTextFile(dir_ / "log"), "first\nsecond\n");
  Wait(*Shell("echo third"));
  EXPECT_EQ(ReadTextFile(dir_ / "log"), "third\n");
}

TEST_F(ProcessTest, ArgumentsArriveAsTheyAre) {
  const auto process = ProcessLauncher::Default().Start(
      {"/bin/sh", {"-c", "printf '%s|' \"$@\"", "name", "a b", "", "$(x) 'y'"}, dir_ / "log", false});
  EXPECT_EQ(Wait(*process), 0);
  EXPECT_EQ(ReadTextFile(dir_ / "log"), "a b||$(x) 'y'|");
}

TEST_F(ProcessTest, RunsUntilASignalEndsIt) {
  const auto process = Shell("exec sleep 100");
  EXPECT_EQ(process->ExitCode(), std::nullopt);
  process->Signal(SIGTERM);
  EXPECT_EQ(Wait(*process), 128 + SIGTERM);
  process->Signal(SIGTERM);  // There is nobody to reach any more.
  EXPECT_EQ(process->ExitCode(), 128 + SIGTERM);
}

TEST_F(ProcessTest, ASignalIsNotLostWhileTheChildStarts) {
  for (int i = 0; i < 50; ++i) {
    const auto process = Shell("exec sleep 100");
    process->Signal(SIGINT);
    ASSERT_EQ(Wait(*process), 128 + SIGINT);
  }
}

TEST_F(ProcessTest, EndsWithItsCodeAlthoughWhoeverStartedUsIgnoresChildren) {
  std::signal(SIGCHLD, SIG_IGN);
  EXPECT_EQ(Wait(*Shell("exit 3")), 3);
}

class SignalInheritanceTest : public ProcessTest {
 protected:
  /// The signals that a child ignores, one bit each.
  uint64_t Ignored() {
    const auto process = ProcessLauncher::Default().Start({"/bin/grep", {"SigIgn", "/proc/self/status"}, dir_ / "log"});
    if (Wait(*process) != 0) return ~uint64_t{0};
    return std::stoull(ReadTextFile(dir_ / "log").substr(std::string("SigIgn:").size()), nullptr, 16);
  }
  static bool Ignores(uint64_t signals, int signal) { return (signals >> (signal - 1) & 1) != 0; }
};

TEST_F(SignalInheritanceTest, ChildrenIgnoreWhatThisProcessIgnoresAndNothingElse) {
  if (!std::filesystem::exists("/proc/self/status")) GTEST_SKIP() << "no /proc";
  const auto before = std::signal(SIGHUP, SIG_IGN);
  const OutlivesReaders outlives;
  const uint64_t ignored = Ignored();
  std::signal(SIGHUP, before);
  EXPECT_TRUE(Ignores(ignored, SIGHUP));
  EXPECT_FALSE(Ignores(ignored, SIGPIPE));
  EXPECT_FALSE(Ignores(ignored, SIGTERM));
}

TEST_F(ProcessTest, IsOutOfReachOfWhatATerminalSendsToThisProcess) {
  const auto process = Shell("echo $$; exec sleep 100");
  const pid_t id = std::stoi(Log());
  EXPECT_EQ(getpgid(id), id);
  EXPECT_NE(getpgid(id), getpgrp());
}

TEST_F(ProcessTest, IsKilledWhenNobodyHoldsItAnyMore) {
  auto process = Shell("echo $$; exec sleep 100");
  const pid_t id = std::stoi(Log());
  EXPECT_EQ(kill(id, 0), 0);
  process.reset();
  EXPECT_NE(kill(id, 0), 0);
}

TEST_F(ProcessTest, SaysWhyItCannotStart) {
  EXPECT_ERROR(ProcessLauncher::Default().Start({"/no/such/program", {}, dir_ / "log", false}),
               ErrorKind::kRuntimeFailure,
               AllOf(HasSubstr("cannot start /no/such/program"), HasSubstr("No such file")));
  EXPECT_ERROR(ProcessLauncher::Default().Start({"/bin/sh", {}, dir_ / "no/log", false}), ErrorKind::kRuntimeFailure,
               AllOf(HasSubstr("cannot write to"), HasSubstr("no/log")));
}

}  // namespace
}  // namespace twofour::train
