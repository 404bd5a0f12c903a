#include "twofour/core/kernels/simd_targets.h"
//
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "twofour/core/parallel.h"
#include "twofour/core/peak_flops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/core/peak_flops.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "twofour/core/kernels/simd_table.h"
#include "twofour/core/kernels/unroll.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Multiply-adds of a chain wait for each other, some cycles each: enough chains to keep every unit busy, and as many
/// as leave registers for the factors.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
inline constexpr int kChains = 16;
#else
inline constexpr int kChains = 12;
#endif

/// Does `rounds` multiply-adds in each lane of each chain and returns how many operations those are. `result` keeps the
/// compiler from leaving them out.
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

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

/// Rounds that take about `seconds` on an idle processor; the best of some tries, in case it is not.
int64_t RoundsFor(double seconds) {
  constexpr int64_t kTrial = 1 << 16;
  constexpr int kTrials = 8;
  double shortest = seconds;
  for (int i = 0; i < kTrials; ++i) {
    float result;
    const auto begin = Clock::now();
    TWOFOUR_DYNAMIC_DISPATCH(MultiplyAdds)(kTrial, &result);
    shortest = std::min(shortest, SecondsSince(begin));
  }
  return static_cast<int64_t>(seconds / std::max(shortest, 1e-6) * kTrial);
}

/// Operations per second of all threads doing `rounds` each, by the time until the last is done.
double Rate(int64_t rounds) {
  struct alignas(64) Thread {  // A cache line of its own.
    double operations;
    float result;
  };
  std::vector<Thread> threads(static_cast<size_t>(NumThreads()));
  const auto begin = Clock::now();
  ParallelFor(static_cast<int64_t>(threads.size()), 1, [&](int64_t first, int64_t last) {
    for (int64_t t = first; t < last; ++t) {
      threads[t].operations = TWOFOUR_DYNAMIC_DISPATCH(MultiplyAdds)(rounds, &threads[t].result);
    }
  });
  const double seconds = SecondsSince(begin);
  double operations = 0;
  for (const Thread& thread : threads) operations += thread.operations;
  return operations / seconds;
}

}  // namespace

double MeasurePeakFlops() {
  constexpr double kRun = 4e-3;      // Starting threads takes tens of microseconds.
  constexpr double kBudget = 60e-3;  // The last run may begin just before, and may be held up.
  constexpr int kRuns = 8;
  const auto begin = Clock::now();
  const int64_t rounds = RoundsFor(kRun);
  double best = Rate(rounds);
  for (int run = 1; run < kRuns && SecondsSince(begin) < kBudget; ++run) best = std::max(best, Rate(rounds));
  return best;
}

}  // namespace twofour
#endif  // HWY_ONCE
