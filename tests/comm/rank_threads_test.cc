#include "twofour/comm/rank_threads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "tests/support/expect_error.h"

namespace twofour::comm {
namespace {

TEST(RankThreadsTest, CallsTheFunctionOnceForEachNumber) {
  std::vector<int> calls(20);
  RunOnThreads(
      20, size_t{1} << 20, [&](int number) { ++calls[static_cast<size_t>(number)]; }, [] { FAIL(); });
  EXPECT_EQ(calls, std::vector<int>(20, 1));
}

TEST(RankThreadsTest, ThreadsThatDoNotStartStopTheOthers) {
  std::atomic<bool> stopped = false;
  EXPECT_ERROR(RunOnThreads(
                   2, size_t{1} << 60, [&](int) { stopped.wait(false); },
                   [&] {
                     stopped = true;
                     stopped.notify_all();
                   }),
               ErrorKind::kRuntimeFailure, testing::HasSubstr("thread 1 of 2 did not start: "));
  EXPECT_TRUE(stopped);
}

}  // namespace
}  // namespace twofour::comm
