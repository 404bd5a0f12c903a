#include "twofour/core/processors.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <filesystem>
#include <thread>

#include "twofour/core/parallel.h"

#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour {
namespace {

/// A tree in which the process's group has a CPU quota of this many microseconds in each 100000.
class QuotaTree {
 public:
  explicit QuotaTree(const std::string& quota) {
    std::filesystem::create_directories(dir_ / "proc/self");
    std::filesystem::create_directories(dir_ / "cg");
    test::WriteTextFile(dir_ / "proc/self/cgroup", "0::/\n");
    test::WriteTextFile(dir_ / "proc/self/mountinfo", "30 29 0:26 / /cg rw - cgroup2 cgroup2 rw\n");
    test::WriteTextFile(dir_ / "cg/cpu.max", quota + " 100000\n");
  }
  std::string root() const { return dir_.path().string(); }

 private:
  test::TempDir dir_;
};

TEST(ProcessorsTest, AQuotaLimitsThemRoundedUpAndLeavesOneAtLeast) {
  const Processors all = CountProcessors(QuotaTree("max").root());
  EXPECT_EQ(all.count, all.usable);
  EXPECT_EQ(all.quota, 0);
  EXPECT_EQ(CountProcessors(QuotaTree("1000").root()).count, 1);
  EXPECT_EQ(CountProcessors(QuotaTree("100000").root()).count, 1);
  EXPECT_EQ(CountProcessors(QuotaTree("100001").root()).count, std::min(2, all.usable));
  EXPECT_EQ(CountProcessors(QuotaTree("9000000000000000").root()).count, all.usable);
}

TEST(ProcessorsTest, LimitSaysWhatLimits) {
  EXPECT_EQ((Processors{.usable = 4, .count = 4, .quota = 9, .machine = 4}).Limit(), "");
  EXPECT_EQ((Processors{.usable = 4, .count = 2, .quota = 1.25, .machine = 4}).Limit(),
            "CPU quota of this container is 1.25; 4 processors");
  EXPECT_EQ((Processors{.usable = 1, .count = 1, .machine = 4}).Limit(), "CPU affinity of this process; 4 processors");
}

TEST(ProcessorsTest, TheAffinityMaskLimitsThem) {
  std::thread([] {  // A thread has its own mask.
    cpu_set_t mask, one;
    ASSERT_EQ(sched_getaffinity(0, sizeof(mask), &mask), 0);
    CPU_ZERO(&one);
    int first = 0;
    while (!CPU_ISSET(first, &mask)) ++first;
    CPU_SET(first, &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    EXPECT_EQ(UsableProcessors(), 1);
    EXPECT_EQ(CountProcessors().count, 1);
    SetNumThreads(0);
    EXPECT_EQ(NumThreads(), 1);
  })
      .join();
  SetNumThreads(0);
}

TEST(ProcessorsTest, CountsThoseOfThisProcess) {
  const Processors here = CountProcessors();
  EXPECT_GE(here.count, 1);
  EXPECT_LE(here.count, here.usable);
  EXPECT_LE(here.usable, here.machine);
}

}  // namespace
}  // namespace twofour
