#include "twofour/train/program/tensorboard/event_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour::train {
namespace {

using test::TempDir;
using test::WriteTextFile;
using ::testing::EndsWith;
using ::testing::StartsWith;

struct FixedClock final : Clock {
  explicit FixedClock(double time) : seconds(time) {}
  double Seconds() const override { return seconds; }
  double seconds;
};

class EventFileTest : public ::testing::Test {
 protected:
  std::string NameAt(double seconds) {
    return NextEventFile(FileSystem::Default(), dir_.path(), FixedClock(seconds)).filename().string();
  }
  TempDir dir_;
};

TEST_F(EventFileTest, IsNamedByTimeHostAndProcess) {
  const std::string name = NameAt(1700000000.9);
  EXPECT_THAT(name, StartsWith("events.out.tfevents.1700000000."));
  EXPECT_THAT(name, EndsWith("." + std::to_string(getpid())));
  EXPECT_EQ(NextEventFile(FileSystem::Default(), dir_.path(), FixedClock(1)).parent_path(), dir_.path());
}

TEST_F(EventFileTest, SortsAfterThoseThatAreThere) {
  WriteTextFile(dir_ / "events.out.tfevents.1700000005.zebra.99999", "");
  WriteTextFile(dir_ / "events.out.tfevents.1700000003.zebra.99999", "");
  EXPECT_THAT(NameAt(1700000000), StartsWith("events.out.tfevents.1700000006."));
  EXPECT_THAT(NameAt(1700000005), StartsWith("events.out.tfevents.1700000006."));
  EXPECT_THAT(NameAt(1700000007), StartsWith("events.out.tfevents.1700000007."));
}

TEST_F(EventFileTest, NamesOfOtherFilesSayNothing) {
  for (const char* name : {"events.out.tfevents.", "events.out.tfevents.99999999999999999999.h",
                           "events.out.tfevents.17x0000009.h", "metrics.jsonl", "9999999999"}) {
    WriteTextFile(dir_ / name, "");
  }
  EXPECT_THAT(NameAt(1700000000), StartsWith("events.out.tfevents.1700000000."));
}

TEST_F(EventFileTest, AnEarlyClockKeepsTheOrderOfNames) {
  EXPECT_THAT(NameAt(12), StartsWith("events.out.tfevents.0000000012."));
}

}  // namespace
}  // namespace twofour::train
