#include "twofour/core/parallel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#ifdef _OPENMP
#include <omp.h>
#endif
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
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
        EXPECT_LE(ranges.size(), static_cast<size_t>(std::max<int64_t>(1, count / grain)));
        EXPECT_EQ(ranges.front().first, 0);
        EXPECT_EQ(ranges.back().second, count);
        for (size_t i = 1; i < ranges.size(); ++i) EXPECT_EQ(ranges[i].first, ranges[i - 1].second);
        for (const auto& [begin, end] : ranges) EXPECT_GE(end - begin, std::min(grain, count));
      }
    }
  }
}

TEST(ParallelForTest, ManyThreadsGetSeveralRangesEach) {
  const internal::AlwaysShare always_share;
  const auto ranges_with = [](int threads) {
    const ScopedNumThreads scoped(threads);
    return RangesOf(1000, 1).size();
  };
  if (ranges_with(2) == 1) GTEST_SKIP() << "built without threads";
  EXPECT_EQ(ranges_with(4), 4u);
  EXPECT_EQ(ranges_with(8), 32u);
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
    if (end - begin == 3) return;  // Without threads, nothing is nested.
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

TEST(ParallelForTest, MoreCallersThanCanShareWorkAreAllServed) {
  const ScopedNumThreads scoped(3);
  std::vector<std::vector<int>> counts(20, std::vector<int>(100));
  std::atomic<int> failures = 0;
  std::vector<std::thread> callers;
  for (auto& mine : counts) {
    callers.emplace_back([&mine, &failures] {
      for (int round = 0; round < 50; ++round) {
        ParallelFor(100, 1, [&mine](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) ++mine[i];
        });
        try {
          ParallelFor(2, 1, [](int64_t, int64_t) { throw Error("each its own"); });
        } catch (const Error&) {
          ++failures;
        }
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (const auto& mine : counts) EXPECT_EQ(std::count(mine.begin(), mine.end(), 50), 100);
  EXPECT_EQ(failures, 20 * 50);
}

TEST(ParallelForTest, TheNumberOfThreadsMayChangeBetweenCallsAndWhileOthersCall) {
  std::atomic<bool> stop = false;
  std::thread changer([&] {
    for (int threads = 1; !stop; threads = threads % 9 + 1) SetNumThreads(threads);
  });
  std::vector<int> counts(64);
  {
    const internal::AlwaysShare always;
    for (int round = 0; round < 500; ++round) {
      ParallelFor(64, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) ++counts[i];
      });
    }
  }
  stop = true;
  changer.join();
  SetNumThreads(0);
  EXPECT_EQ(std::count(counts.begin(), counts.end(), 500), 64);
}

#ifdef _OPENMP
TEST(ParallelForTest, BodiesSeeOneOpenMpThreadWhereverTheyRun) {
  const ScopedNumThreads scoped(3);
  omp_set_num_threads(2);
  std::atomic<int> wrong = 0;
  for (int round = 0; round < 20; ++round) {
    ParallelFor(6, 1, [&](int64_t, int64_t) {
      if (!omp_in_parallel() && omp_get_max_threads() != 1) ++wrong;
    });
  }
  // Also if the work is not worth sharing, and inside other calls.
  ParallelFor(1, 1, [&](int64_t, int64_t) {
    if (omp_get_max_threads() != 1) ++wrong;
    ParallelFor(6, 1, [](int64_t, int64_t) {});
    if (omp_get_max_threads() != 1) ++wrong;
  });
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(omp_get_max_threads(), 2);  // The same as before.
}

TEST(ParallelForTest, CallsFromAnOpenMpRegionStayOnTheirThread) {
  const ScopedNumThreads scoped(3);
  std::atomic<int> elsewhere = 0, ranges = 0;
#pragma omp parallel num_threads(2)
  {
    const std::thread::id here = std::this_thread::get_id();
    ParallelFor(60, 1, [&](int64_t, int64_t) {
      ++ranges;
      if (std::this_thread::get_id() != here) ++elsewhere;
    });
  }
  EXPECT_EQ(elsewhere, 0);
  EXPECT_EQ(ranges, 2);
}
#endif

#ifndef __SANITIZE_THREAD__  // ThreadSanitizer allows no threads after a fork.
TEST(ParallelForTest, AForkedProcessHasThreadsOfItsOwn) {
  const ScopedNumThreads scoped(3);
  const auto sum = [] {
    std::atomic<int64_t> total = 0;
    for (int round = 0; round < 100; ++round) {
      ParallelFor(60, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) total += i;
      });
    }
    return total.load();
  };
  const int64_t expected = sum();
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);  // Ends a child that hangs.
    const pid_t grandchild = fork();
    if (grandchild == 0) _exit(sum() == expected ? 3 : 1);
    int status = 0;
    waitpid(grandchild, &status, 0);
    _exit(sum() == expected && WIFEXITED(status) && WEXITSTATUS(status) == 3 ? 3 : 1);
  }
  EXPECT_EQ(sum(), expected);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 3);
}
#endif

TEST(ParallelForDeathTest, AProcessEndsWhileThreadsWaitAndWhileTheyWork) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto end_after = [](bool working) {
    const ScopedNumThreads scoped(3);
    ParallelFor(60, 1, [](int64_t, int64_t) {});
    if (!working) std::exit(7);
    std::atomic<int> begun = 0;
    std::thread([&begun] {
      const internal::AlwaysShare always;
      ParallelFor(3, 1, [&begun](int64_t, int64_t) {
        ++begun;
        for (;;) sleep(1);
      });
    }).detach();
    while (begun == 0) sched_yield();
    std::exit(7);
  };
  EXPECT_EXIT(end_after(false), ::testing::ExitedWithCode(7), "");
  EXPECT_EXIT(end_after(true), ::testing::ExitedWithCode(7), "");
}

// Runs in a process of its own, where no other test has started threads.
TEST(ParallelForDeathTest, SignalsAreLeftToTheProgramsOwnThreads) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto send_signal = [] {
    const ScopedNumThreads scoped(3);
    for (int round = 0; round < 100; ++round) ParallelFor(60, 1, [](int64_t, int64_t) {});  // Now the threads exist.
    sigset_t usr1, pending;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, nullptr);
    kill(getpid(), SIGUSR1);  // Ends the process if any thread takes it.
    sigpending(&pending);
    std::exit(sigismember(&pending, SIGUSR1) == 1 ? 5 : 6);
  };
  EXPECT_EXIT(send_signal(), ::testing::ExitedWithCode(5), "");
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // Sanitizers need address space of their own.
/// libgomp ends the process with exit code 1 if it gets fewer threads than it asks for.
TEST(ParallelForDeathTest, WorksWithTheThreadsThatTheSystemGrants) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto work = [](int stacks) {
    int64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    // The extra 4 MiB are half a stack, so that no further thread fits.
    const auto bytes = static_cast<rlim_t>(pages * sysconf(_SC_PAGESIZE)) + static_cast<rlim_t>(stacks) * (8 << 20);
    const rlimit limit{bytes + (4 << 20), bytes + (4 << 20)};
    setrlimit(RLIMIT_AS, &limit);
    const ScopedNumThreads scoped(4);
    std::atomic<int64_t> sum = 0;
    for (int round = 0; round < 20; ++round) {
      ParallelFor(60, 1, [&sum](int64_t begin, int64_t end) { sum += end - begin; });
    }
    std::_Exit(sum == 20 * 60 ? 5 : 6);
  };
  for (int stacks = 0; stacks < 6; ++stacks) EXPECT_EXIT(work(stacks), ::testing::ExitedWithCode(5), "") << stacks;
}
#endif

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
