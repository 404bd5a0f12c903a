#include "twofour/core/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>

#ifdef _OPENMP
#include <omp.h>
#endif

#include <fmt/format.h>

#include "twofour/core/error.h"

#ifdef __SANITIZE_THREAD__
// GCC's OpenMP runtime is not instrumented, so ThreadSanitizer does not see that a parallel region
// starts after what came before it and ends before what comes after. These annotations say just
// that and no more: races between the threads of one region are still found.
extern "C" void __tsan_acquire(void* address);
extern "C" void __tsan_release(void* address);
namespace {
char fork_point, join_point;
void TsanRelease(char& point) { __tsan_release(&point); }
void TsanAcquire(char& point) { __tsan_acquire(&point); }
}  // namespace
#define TWOFOUR_TSAN(call) call
// For the function that holds the region: what the compiler passes to its threads is written after
// the fork point.
#define TWOFOUR_TSAN_OFF __attribute__((no_sanitize("thread")))
#define TWOFOUR_TSAN_ON __attribute__((noinline))
#else
#define TWOFOUR_TSAN(call)
#define TWOFOUR_TSAN_OFF
#define TWOFOUR_TSAN_ON
#endif

namespace twofour {
namespace {

int HardwareThreads() {
#ifdef _OPENMP
  return std::max(1, omp_get_num_procs());
#else
  return 1;
#endif
}

std::atomic<int> num_threads{0};
thread_local bool inside_region = false;

#ifdef _OPENMP
/// One ParallelFor that is worth threads.
class Region {
 public:
  Region(int64_t count, int64_t ranges, const std::function<void(int64_t, int64_t)>& body)
      : count_(count), ranges_(ranges), body_(body) {}

  /// Runs all ranges, then throws again what one of them threw.
  void Run() {
    TWOFOUR_TSAN(TsanRelease(fork_point));
    Fork();
    TWOFOUR_TSAN(TsanAcquire(join_point));
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  TWOFOUR_TSAN_OFF void Fork() {
#pragma omp parallel num_threads(static_cast <int>(ranges_))
    Work(omp_get_thread_num(), omp_get_num_threads());
  }

  /// What thread `thread` of `threads` does. The runtime may grant fewer threads than asked for:
  /// every thread takes ranges until none is left.
  TWOFOUR_TSAN_ON void Work(int thread, int threads) {
    TWOFOUR_TSAN(TsanAcquire(fork_point));
    inside_region = true;
    for (int64_t range = thread; range < ranges_; range += threads) {
      try {
        body_(count_ * range / ranges_, count_ * (range + 1) / ranges_);
      } catch (...) {
        const std::lock_guard lock(failure_mutex_);
        if (!failure_) failure_ = std::current_exception();
      }
    }
    inside_region = false;
    TWOFOUR_TSAN(TsanRelease(join_point));
  }

  const int64_t count_, ranges_;
  const std::function<void(int64_t, int64_t)>& body_;
  std::mutex failure_mutex_;
  std::exception_ptr failure_;
};
#endif

}  // namespace

void SetNumThreads(int count) {
  if (count < 0 || count > 1024) throw Error(fmt::format("threads: got {}, expected 0 (all) to 1024", count));
  num_threads = count;
}

int NumThreads() {
  const int count = num_threads;
  return count == 0 ? HardwareThreads() : count;
}

void ParallelFor(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t)>& body) {
  if (count <= 0) return;
  const int64_t ranges = std::min<int64_t>(NumThreads(), count / std::max<int64_t>(grain, 1));
  if (ranges <= 1 || inside_region) {
    body(0, count);
    return;
  }
#ifdef _OPENMP
  Region(count, ranges, body).Run();
#else
  body(0, count);
#endif
}

}  // namespace twofour
