#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <utility>
#include <vector>

#include "twofour/core/bf16_multiply_adds.h"
#include "twofour/core/clock.h"
#include "twofour/core/parallel.h"
#include "twofour/core/peak_flops.h"
#include "twofour/core/processors.h"
#include "twofour/core/sleep.h"
#include "twofour/core/worker_team.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/core/peak_flops.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "twofour/core/kernels/simd/simd_table.h"
#include "twofour/core/kernels/simd/unroll.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Multiply-adds of a chain wait for each other, some cycles each. There are enough chains to keep every unit busy, and
/// few enough to leave registers for the factors.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
inline constexpr int kChains = 16;
#else
inline constexpr int kChains = 12;
#endif

/// Does `rounds` multiply-adds in each lane of each chain and returns how many operations those are. `result` keeps the
/// compiler from removing them.
double MultiplyAdds(int64_t rounds, float* result) {
  const hn::ScalableTag<float> d;
  // Each chain stays near 2, whatever the number of rounds.
  const auto half = hn::Set(d, 0.5f), one = hn::Set(d, 1.0f);
  hn::Vec<decltype(d)> chains[kChains];
  TWOFOUR_UNROLL for (int c = 0; c < kChains; ++c) chains[c] = hn::Set(d, static_cast<float>(c));
  for (int64_t round = 0; round < rounds; ++round) {
    TWOFOUR_UNROLL for (int c = 0; c < kChains; ++c) chains[c] = hn::MulAdd(chains[c], half, one);
  }
  auto sum = hn::Zero(d);
  TWOFOUR_UNROLL for (int c = 0; c < kChains; ++c) sum = hn::Add(sum, chains[c]);
  *result = hn::GetLane(hn::SumOfLanes(d, sum));
  return 2.0 * static_cast<double>(rounds) * kChains * static_cast<double>(hn::Lanes(d));
}

}  // namespace twofour::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace twofour {

HWY_EXPORT(MultiplyAdds);

namespace {

constexpr int64_t kMillisecond = 1'000'000;
/// How long a window is. Reading the clocks takes a microsecond.
constexpr int64_t kWindow = kMillisecond / 5;
/// How long threads compute. Processors take some tens of milliseconds to reach their full frequency.
constexpr int64_t kRun = 95 * kMillisecond;
/// How long threads wait for each other at the start.
constexpr int64_t kStart = 5 * kMillisecond;

/// MultiplyAdds, for the operands that are measured.
using Loop = double(int64_t rounds, float* result);

Loop* LoopFor(DType operands) {
  if (operands == DType::kBF16 && MultipliesPairs()) return &MultiplyAddPairs;
  return TWOFOUR_DYNAMIC_DISPATCH(MultiplyAdds);
}

PeakWindow Measure(Loop* loop, int64_t rounds) {
  float result;
  PeakWindow window;
  window.begin = Nanoseconds();
  const int64_t ran = ThreadCpuNanoseconds();
  window.operations = loop(rounds, &result);
  window.ran = ThreadCpuNanoseconds() - ran;
  window.end = Nanoseconds();
  return window;
}

/// Rounds that take about as long as a window should.
int64_t RoundsOfAWindow(Loop* loop) {
  constexpr int64_t kTrial = 1 << 13;
  int64_t shortest = kWindow;
  for (int i = 0; i < 8; ++i) shortest = std::min(shortest, Measure(loop, kTrial).ran);
  return std::max<int64_t>(kTrial * kWindow / std::max<int64_t>(shortest, 1), kTrial);
}

/// What each of `count` threads measures when they run at once. Nobody waits for a thread that has not come after
/// kStart. If it never comes, another takes its turn.
std::vector<std::vector<PeakWindow>> Run(Loop* loop, int count, int64_t rounds) {
  std::vector<std::vector<PeakWindow>> threads(static_cast<size_t>(count));
  std::atomic<int> begun{0};
  const int64_t start = Nanoseconds();
  const auto run = [&](int64_t thread) {
    for (++begun; begun < count && Nanoseconds() < start + kStart;) SpinPause();
    std::vector<PeakWindow> windows;
    windows.reserve(static_cast<size_t>(2 * kRun / kWindow));
    do {
      windows.push_back(Measure(loop, rounds));
    } while (windows.back().end < start + kStart + kRun);
    threads[static_cast<size_t>(thread)] = std::move(windows);
  };
  HelpBalance balance;  // A new one, because earlier losses must not keep threads away.
  if (count == 1 || !WorkerTeam::Get().Run(count, count, run, balance)) {
    for (int thread = 0; thread < count; ++thread) run(thread);
  }
  return threads;
}

}  // namespace

PeakFlops MeasurePeakFlops(DType operands) {
  if (operands == DType::kBF16 && IsAllowed(Isa::kAmxBf16)) return {};
  Loop* const loop = LoopFor(operands);
  const int count = std::min(NumThreads(), UsableProcessors());
  const int64_t rounds = RoundsOfAWindow(loop);
  const PeakFlops first = EstimatePeak(Run(loop, count, rounds));
  if (first.sure) return first;
  const PeakFlops second = EstimatePeak(Run(loop, count, rounds));
  return second.sure || second.flops > first.flops ? second : first;
}

}  // namespace twofour
#endif  // HWY_ONCE
