#include "twofour/train/parallel/background_tasks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

namespace twofour::train {
namespace {

using ::testing::ElementsAre;

TEST(BackgroundTasksTest, AreDoneInTheirOrder) {
  BackgroundTasks tasks;
  std::vector<int> done;
  for (int i = 0; i < 100; ++i) tasks.Add([&done, i] { done.push_back(i); });
  tasks.Wait();
  ASSERT_EQ(done.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(done[static_cast<size_t>(i)], i);
  tasks.Wait();  // Nothing is left.
}

TEST(BackgroundTasksTest, TheFirstFailureIsReportedOnceAndDropsWhatIsBehind) {
  BackgroundTasks tasks;
  std::atomic<bool> may_go = false;
  std::atomic<int> done = 0;
  tasks.Add([&] {
    while (!may_go) std::this_thread::yield();
    throw std::runtime_error("first");
  });
  tasks.Add([&] { ++done; });
  may_go = true;
  EXPECT_THROW(tasks.Wait(), std::runtime_error);
  EXPECT_EQ(done, 0);
  tasks.Add([&] { ++done; });
  tasks.Wait();
  EXPECT_EQ(done, 1);
}

TEST(BackgroundTasksTest, DestructionWaitsForTheTaskUnderWay) {
  std::atomic<int> begun = 0, done = 0;
  {
    BackgroundTasks tasks;
    for (int i = 0; i < 5; ++i) {
      tasks.Add([&] {
        ++begun;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        ++done;
      });
    }
    while (begun == 0) std::this_thread::yield();
  }
  EXPECT_EQ(begun, done);
  EXPECT_GE(done, 1);
}

}  // namespace
}  // namespace twofour::train
