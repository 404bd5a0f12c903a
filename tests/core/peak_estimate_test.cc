#include "twofour/core/peak_estimate.h"

#include <gtest/gtest.h>

#include <functional>

namespace twofour {
namespace {

constexpr int64_t kWindow = 200'000;

/// `count` windows one after the other, in which a thread runs all the time. rate(i) is the FLOP/s of window i.
std::vector<PeakWindow> Windows(int count, const std::function<double(int)>& rate, int64_t begin = 0) {
  std::vector<PeakWindow> windows;
  for (int i = 0; i < count; ++i, begin += kWindow) {
    windows.push_back({begin, begin + kWindow, kWindow, rate(i) * 1e-9 * kWindow});
  }
  return windows;
}

/// The same, but the thread is put aside for `off` windows after every `on` windows. The last window before a pause
/// includes it.
std::vector<PeakWindow> Interrupted(int count, int on, int off, double rate) {
  std::vector<PeakWindow> windows;
  int64_t begin = 0;
  for (int i = 0; i < count; ++i) {
    const int64_t end = begin + kWindow + (i % on == on - 1 ? off * kWindow : 0);
    windows.push_back({begin, end, kWindow, rate * 1e-9 * kWindow});
    begin = end;
  }
  return windows;
}

TEST(EstimatePeakTest, AddsUpThreadsThatRunTogether) {
  const auto steady = Windows(100, [](int) { return 100e9; });
  const PeakFlops one = EstimatePeak({steady}), three = EstimatePeak({steady, steady, steady});
  EXPECT_DOUBLE_EQ(one.flops, 100e9);
  EXPECT_DOUBLE_EQ(three.flops, 300e9);
  EXPECT_DOUBLE_EQ(three.typical, 300e9);
  EXPECT_TRUE(one.sure && three.sure);
}

TEST(EstimatePeakTest, TimeGivenToOthersDoesNotCount) {
  const PeakFlops peak = EstimatePeak({Interrupted(200, 15, 15, 100e9), Interrupted(200, 11, 20, 90e9)});
  EXPECT_DOUBLE_EQ(peak.flops, 190e9);
  EXPECT_TRUE(peak.sure);
}

TEST(EstimatePeakTest, TheStartDoesNotCountAndNeitherDoClocksFaults) {
  const PeakFlops peak = EstimatePeak({Windows(400, [](int i) {
    if (i % 100 == 50) return 500e9;            // A fault of the clock.
    return i < 100 ? 20e9 + 0.8e9 * i : 100e9;  // The frequency rises.
  })});
  EXPECT_DOUBLE_EQ(peak.flops, 100e9);
  EXPECT_TRUE(peak.sure);
}

/// Two threads of one core are each faster while the other one does not run. They never have this speed at the same
/// time.
TEST(EstimatePeakTest, ThreadsOfOneCoreCountAsTheyRunTogether) {
  std::vector<PeakWindow> a = Windows(100, [](int) { return 60e9; }), b = a;
  const std::vector<PeakWindow> alone = Windows(
      100, [](int) { return 100e9; }, 100 * kWindow);
  a.insert(a.end(), alone.begin(), alone.end());
  EXPECT_DOUBLE_EQ(EstimatePeak({a, b}).flops, 120e9);
}

TEST(EstimatePeakTest, IsNotSureWhereThreadsNeverRanTogether) {
  const auto first = Windows(100, [](int) { return 100e9; });
  const auto second = Windows(
      100, [](int) { return 100e9; }, 100 * kWindow);
  const PeakFlops peak = EstimatePeak({first, second});
  EXPECT_DOUBLE_EQ(peak.flops, 200e9);
  EXPECT_FALSE(peak.sure);
}

TEST(EstimatePeakTest, IsNotSureWhereTheSpeedVaries) {
  const PeakFlops peak = EstimatePeak({Windows(100, [](int i) { return i % 3 == 0 ? 100e9 : 60e9; })});
  EXPECT_DOUBLE_EQ(peak.flops, 100e9);
  EXPECT_DOUBLE_EQ(peak.typical, 60e9);
  EXPECT_FALSE(peak.sure);
}

TEST(EstimatePeakTest, NothingMeasuredIsNothing) {
  EXPECT_EQ(EstimatePeak({}).flops, 0);
  EXPECT_EQ(EstimatePeak({{}, {}}).flops, 0);
  EXPECT_FALSE(EstimatePeak({{}}).sure);
  EXPECT_EQ(EstimatePeak({{{.begin = 0, .end = kWindow, .ran = 0, .operations = 5}}}).flops, 0);
}

}  // namespace
}  // namespace twofour
