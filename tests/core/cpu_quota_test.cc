#include "twofour/core/cpu_quota.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour {
namespace {

using ::testing::DoubleEq;
using ::testing::Eq;
using ::testing::Optional;

constexpr auto kNone = std::nullopt;

/// The files in which the kernel describes control groups, in a temporary folder.
class CpuQuotaTest : public ::testing::Test {
 protected:
  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = dir_.path() / path;
    std::filesystem::create_directories(file.parent_path());
    test::WriteTextFile(file, text);
  }
  std::optional<double> Quota() const { return CpuQuota(dir_.path().string()); }

  /// Version 2, with all groups mounted at /sys/fs/cgroup.
  void UseVersion2(const std::string& group) {
    Write("proc/self/cgroup", "0::" + group + "\n");
    Write("proc/self/mountinfo",
          "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n"
          "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n");
  }
  /// Version 1, with the processor's groups mounted beside others.
  void UseVersion1(const std::string& group, const std::string& mounted = "/") {
    Write("proc/self/cgroup", "11:memory:/elsewhere\n4:cpu,cpuacct:" + group + "\n3:cpuset:/\n0::/\n");
    Write("proc/self/mountinfo",
          "31 24 0:27 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n"
          "32 31 0:28 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
          "33 31 0:29 " +
              mounted + " /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:12 master:3 - cgroup cgroup rw,cpu,cpuacct\n");
  }
  void WriteVersion1(const std::string& group, const std::string& quota, const std::string& period) {
    Write("sys/fs/cgroup/cpu,cpuacct" + group + "/cpu.cfs_quota_us", quota);
    Write("sys/fs/cgroup/cpu,cpuacct" + group + "/cpu.cfs_period_us", period);
  }

  test::TempDir dir_;
};

TEST_F(CpuQuotaTest, Version2OfTheOwnGroup) {
  UseVersion2("/system.slice/docker-1.scope");
  Write("sys/fs/cgroup/system.slice/docker-1.scope/cpu.max", "150000 100000\n");
  EXPECT_THAT(Quota(), Optional(DoubleEq(1.5)));
}

TEST_F(CpuQuotaTest, Version2TheLeastOfAllGroupsAbove) {
  UseVersion2("/a/b/c");
  Write("sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
  Write("sys/fs/cgroup/a/b/cpu.max", "300000 100000\n");
  Write("sys/fs/cgroup/a/cpu.max", "50000 20000\n");
  EXPECT_THAT(Quota(), Optional(DoubleEq(2.5)));
  Write("sys/fs/cgroup/a/b/c/cpu.max", "100000 100000\n");
  EXPECT_THAT(Quota(), Optional(DoubleEq(1)));
  Write("sys/fs/cgroup/a/bystander/cpu.max", "1000 100000\n");  // This is not our group.
  EXPECT_THAT(Quota(), Optional(DoubleEq(1)));
}

TEST_F(CpuQuotaTest, Version2InsideAContainer) {
  UseVersion2("/");  // A namespace shows the container's group as the top.
  Write("sys/fs/cgroup/cpu.max", "200000 100000\n");
  EXPECT_THAT(Quota(), Optional(DoubleEq(2)));
}

TEST_F(CpuQuotaTest, Version1OfTheOwnGroupAndThoseAbove) {
  UseVersion1("/docker/1");
  WriteVersion1("", "-1\n", "100000\n");
  WriteVersion1("/docker", "400000\n", "100000\n");
  WriteVersion1("/docker/1", "-1\n", "100000\n");
  EXPECT_THAT(Quota(), Optional(DoubleEq(4)));
  WriteVersion1("/docker/1", "25000\n", "50000\n");
  EXPECT_THAT(Quota(), Optional(DoubleEq(0.5)));
}

TEST_F(CpuQuotaTest, Version1WhereTheMountShowsTheContainersGroupOnly) {
  UseVersion1("/docker/1/inner", "/docker/1");  // Without a namespace, names are those of the machine.
  WriteVersion1("", "200000\n", "100000\n");
  EXPECT_THAT(Quota(), Optional(DoubleEq(2)));
  WriteVersion1("/inner", "100000\n", "100000\n");
  EXPECT_THAT(Quota(), Optional(DoubleEq(1)));
}

TEST_F(CpuQuotaTest, AGroupThatIsNotBelowTheMountIsTakenForItsTop) {
  for (const std::string group : {"/../other", "/docker/10", "/else"}) {
    UseVersion1(group, "/docker/1");
    WriteVersion1("", "300000\n", "100000\n");
    EXPECT_THAT(Quota(), Optional(DoubleEq(3))) << group;
  }
}

TEST_F(CpuQuotaTest, BothVersionsAtOnce) {
  UseVersion1("/one");
  std::string mounts = test::ReadTextFile(dir_ / "proc/self/mountinfo");
  Write("proc/self/mountinfo", mounts + "34 31 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  WriteVersion1("/one", "300000", "100000");
  EXPECT_THAT(Quota(), Optional(DoubleEq(3)));
  Write("sys/fs/cgroup/unified/cpu.max", "200000 100000\n");
  EXPECT_THAT(Quota(), Optional(DoubleEq(2)));
}

TEST_F(CpuQuotaTest, OfSeveralMountsThatShowTheGroupTheLeastCounts) {
  Write("proc/self/cgroup", "0::/a/b\n");
  Write("proc/self/mountinfo",
        "30 23 0:26 /x /first rw - cgroup2 cgroup2 rw\n"
        "31 23 0:26 /a /second rw - cgroup2 cgroup2 rw\n"
        "32 23 0:26 / /third rw - cgroup2 cgroup2 rw\n");
  Write("first/cpu.max", "1000 100000\n");  // This is another group's.
  Write("second/b/cpu.max", "300000 100000\n");
  Write("third/a/cpu.max", "200000 100000\n");
  EXPECT_THAT(Quota(), Optional(DoubleEq(2)));
}

TEST_F(CpuQuotaTest, NamesWithBlanks) {
  Write("proc/self/cgroup", "0::/my group\n");
  Write("proc/self/mountinfo", "30 23 0:26 / /mount\\040point\\134 rw - cgroup2 cgroup2 rw\n");
  Write("mount point\\/my group/cpu.max", "200000 100000\n");
  EXPECT_THAT(Quota(), Optional(DoubleEq(2)));
}

TEST_F(CpuQuotaTest, NothingWhereFilesAreMissing) {
  EXPECT_THAT(Quota(), Eq(kNone));
  UseVersion2("/a");
  EXPECT_THAT(Quota(), Eq(kNone));  // The folder is missing.
  Write("sys/fs/cgroup/a/cpu.weight", "100\n");
  EXPECT_THAT(Quota(), Eq(kNone));  // The controller is off.
  std::filesystem::remove(dir_ / "proc/self/mountinfo");
  EXPECT_THAT(Quota(), Eq(kNone));
}

TEST_F(CpuQuotaTest, Version2ThatTheKernelWouldNotWriteIsNoQuota) {
  UseVersion2("/a");
  for (const std::string text :
       {"", "\n", "max", "max 100000", "200000", "0 100000", "-1 100000", "200000 0", "200000 -5", "2e5 100000",
        "200000 100000 1", "99999999999999999999 100000", "200000 99999999999999999999", "0x10 100000", "  ",
        "200000\n100000\n", "nan 100000", "inf inf", "200000 100000x"}) {
    Write("sys/fs/cgroup/a/cpu.max", text);
    EXPECT_THAT(Quota(), Eq(kNone)) << '"' << text << '"';
  }
  Write("sys/fs/cgroup/a/cpu.max", std::string("200000\0 100000\n", 15));
  EXPECT_THAT(Quota(), Eq(kNone));
  std::filesystem::remove(dir_ / "sys/fs/cgroup/a/cpu.max");
  std::filesystem::create_directory(dir_ / "sys/fs/cgroup/a/cpu.max");
  EXPECT_THAT(Quota(), Eq(kNone));
}

TEST_F(CpuQuotaTest, Version1ThatTheKernelWouldNotWriteIsNoQuota) {
  UseVersion1("/a");
  WriteVersion1("/a", "200000", "100000");
  EXPECT_THAT(Quota(), Optional(DoubleEq(2)));
  for (const auto& [quota, period] : {std::pair{"-1", "100000"},
                                      {"0", "100000"},
                                      {"200000", "0"},
                                      {"200000", ""},
                                      {"", "100000"},
                                      {"x", "100000"},
                                      {"200000", "99999999999999999999"}}) {
    WriteVersion1("/a", quota, period);
    EXPECT_THAT(Quota(), Eq(kNone)) << quota << " " << period;
  }
}

TEST_F(CpuQuotaTest, LinesThatTheKernelWouldNotWriteAreLeftOut) {
  UseVersion2("/a");
  Write("sys/fs/cgroup/a/cpu.max", "200000 100000\n");
  const std::string mounts = test::ReadTextFile(dir_ / "proc/self/mountinfo");
  Write("proc/self/mountinfo", "\n\n - \n - cgroup2\n1 2 3 - cgroup2 a b\nx\n1 2 3 4 5 - \n" + std::string(5000, 'y') +
                                   "\n" + mounts + "1 2 3 / /\\9 rw - cgroup2 c c");
  Write("proc/self/cgroup", ":\n::\n0:\n:x:/b\nnothing\n1:name=systemd:/c\n0::/a");
  EXPECT_THAT(Quota(), Optional(DoubleEq(2)));
  Write("proc/self/cgroup", "0::" + std::string(100000, '/') + "a/" + std::string(5000, 'z') + "\n");
  EXPECT_THAT(Quota(), Optional(DoubleEq(2)));  // The quota of "/a", which is above.
}

/// Whatever this machine has, the quota is a positive number of processors, or nothing.
TEST(CpuQuotaOfThisProcessTest, IsPositive) { EXPECT_GT(CpuQuota().value_or(1), 0); }

}  // namespace
}  // namespace twofour
