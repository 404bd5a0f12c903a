#include "twofour/core/parallel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "twofour/core/error.h"

#include "tests/support/tensors.h"

namespace twofour {
namespace {

using test::ScopedNumThreads;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::ThrowsMessage;

using Ranges = std::vector<std::pair<int64_t, int64_t>>;

/// The ranges that ParallelFor calls its body with, sorted.
Ranges RangesOf(int64_t count, int64_t grain) {
  Ranges ranges;
  std::mutex mutex;
  ParallelFor(count, grain, [&](int64_t begin, int64_t end) {
    const std::lock_guard lock(mutex);
    ranges.emplace_back(begin, end);
  });
  std::sort(ranges.begin(), ranges.end());
  return ranges;
}

TEST(ParallelForTest, RangesCoverEachIndexOnceAndAreNoSmallerThanTheGrain) {
  for (const int threads : {1, 2, 3, 7, 16}) {
    const ScopedNumThreads scoped(threads);
    for (const int64_t count : {1, 2, 3, 7, 16, 17, 100, 1023}) {
      for (const int64_t grain : {1, 2, 3, 16, 100, 5000}) {
        SCOPED_TRACE(::testing::Message() << threads << " threads, " << count << " items, grain " << grain);
        const Ranges ranges = RangesOf(count, grain);
        ASSERT_FALSE(ranges.empty());
        EXPECT_LE(ranges.size(), static_cast<size_t>(threads));
        EXPECT_EQ(ranges.front().first, 0);
        EXPECT_EQ(ranges.back().second, count);
        for (size_t i = 1; i < ranges.size(); ++i) EXPECT_EQ(ranges[i].first, ranges[i - 1].second);
        for (const auto& [begin, end] : ranges) EXPECT_GE(end - begin, std::min(grain, count));
      }
    }
  }
}

TEST(ParallelForTest, NothingToDoCallsNothing) {
  EXPECT_TRUE(RangesOf(0, 1).empty());
  EXPECT_TRUE(RangesOf(-5, 1).empty());
}

TEST(ParallelForTest, WorkOfOneGrainStaysOnTheCaller) {
  const ScopedNumThreads scoped(4);
  const std::thread::id caller = std::this_thread::get_id();
  ParallelFor(100, 100, [&](int64_t begin, int64_t end) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    EXPECT_EQ(end - begin, 100);
  });
}

TEST(ParallelForTest, OneThreadGetsOneRange) {
  const ScopedNumThreads scoped(1);
  EXPECT_THAT(RangesOf(1000, 1), ElementsAre(Pair(0, 1000)));
}

TEST(ParallelForTest, NestedCallsRunSeriallyOnTheirThread) {
  const ScopedNumThreads scoped(3);
  std::vector<int> counts(60);
  ParallelFor(3, 1, [&](int64_t begin, int64_t end) {
    if (end - begin == 3) return;  // Threads are not built in: nothing is nested.
    const std::thread::id outer = std::this_thread::get_id();
    for (int64_t i = begin; i < end; ++i) {
      ParallelFor(20, 1, [&](int64_t first, int64_t last) {
        EXPECT_EQ(std::this_thread::get_id(), outer);
        EXPECT_EQ(last - first, 20);
        for (int64_t j = first; j < last; ++j) ++counts[i * 20 + j];
      });
    }
  });
  EXPECT_EQ(std::count(counts.begin(), counts.end(), RangesOf(3, 1).size() == 1 ? 0 : 1), 60);
}

TEST(ParallelForTest, ThreadsAreFreeAgainAfterARegion) {
  const ScopedNumThreads scoped(2);
  const size_t ranges = RangesOf(2, 1).size();
  ParallelFor(2, 1, [](int64_t, int64_t) {});
  EXPECT_THROW(ParallelFor(2, 1, [](int64_t, int64_t) { throw Error("no"); }), Error);
  EXPECT_EQ(RangesOf(2, 1).size(), ranges);
}

TEST(ParallelForTest, AnExceptionReachesTheCaller) {
  for (const int threads : {1, 2, 3}) {
    const ScopedNumThreads scoped(threads);
    for (int64_t bad : {0, 49, 99}) {
      EXPECT_THAT(
          [&] {
            ParallelFor(100, 1, [&](int64_t begin, int64_t end) {
              if (begin <= bad && bad < end) throw std::out_of_range("item " + std::to_string(bad));
            });
          },
          ThrowsMessage<std::out_of_range>("item " + std::to_string(bad)));
    }
  }
}

TEST(ParallelForTest, OneOfSeveralExceptionsReachesTheCaller) {
  const ScopedNumThreads scoped(4);
  std::atomic<int> thrown = 0;
  EXPECT_THROW(ParallelFor(4, 1,
                           [&](int64_t, int64_t) {
                             ++thrown;
                             throw Error("each range fails");
                           }),
               Error);
  EXPECT_GE(thrown, 1);
}

TEST(ParallelForTest, CallsFromSeveralThreadsDoNotDisturbEachOther) {
  const ScopedNumThreads scoped(2);
  std::vector<std::vector<int>> counts(3, std::vector<int>(1000));
  std::vector<std::thread> callers;
  for (auto& mine : counts) {
    callers.emplace_back([&mine] {
      for (int round = 0; round < 20; ++round) {
        ParallelFor(1000, 10, [&mine](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) ++mine[i];
        });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (const auto& mine : counts) EXPECT_EQ(std::count(mine.begin(), mine.end(), 20), 1000);
}

TEST(NumThreadsTest, SetAndGet) {
  const ScopedNumThreads scoped(3);
  EXPECT_EQ(NumThreads(), 3);
  SetNumThreads(1024);
  EXPECT_EQ(NumThreads(), 1024);
  SetNumThreads(0);
  EXPECT_GE(NumThreads(), 1);
}

TEST(NumThreadsTest, Errors) {
  const ScopedNumThreads scoped(2);
  EXPECT_THAT([] { SetNumThreads(-1); },
              ThrowsMessage<Error>(AllOf(HasSubstr("got -1"), HasSubstr("expected 0 (all) to 1024"))));
  EXPECT_THAT([] { SetNumThreads(1025); }, ThrowsMessage<Error>(HasSubstr("got 1025")));
  EXPECT_EQ(NumThreads(), 2);
}

TEST(RowGrainTest, ARangeIsWorthAGrain) {
  EXPECT_GE(RowGrain(0), 1);
  for (const int64_t cols : {int64_t{1}, int64_t{7}, int64_t{1000}, kElementwiseGrain, 3 * kElementwiseGrain}) {
    EXPECT_GE(RowGrain(cols), 1);
    EXPECT_GE(RowGrain(cols) * cols, kElementwiseGrain / 2);
  }
}

}  // namespace
}  // namespace twofour
