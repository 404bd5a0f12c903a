#include "twofour/core/parallel.h"

#ifdef _OPENMP
#include <omp.h>
#endif

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "twofour/core/clock.h"
#include "twofour/core/error.h"
#include "twofour/core/one_openmp_thread.h"
#include "twofour/core/processors.h"
#include "twofour/core/worker_team.h"

namespace twofour {
namespace {

/// Where there are many threads.
constexpr int64_t kRangesOfAThread = 4;

std::atomic<int> num_threads{0};        // 0 until somebody asks for it.
std::atomic<int> usable_processors{0};  // Likewise.
std::atomic<int> always_share{0};       // How many AlwaysShare objects live.

void UseThreads(int count) {
  usable_processors = UsableProcessors();
#ifdef _OPENMP
  num_threads = count > 0 ? count : CountProcessors().count;
#else
  num_threads = count > 0 ? count : 1;
#endif
}

#ifdef _OPENMP
thread_local bool inside_body = false;

/// Marks the calling thread as one that runs bodies.
class InsideBody {
 public:
  InsideBody() { inside_body = true; }
  ~InsideBody() { inside_body = false; }
  InsideBody(const InsideBody&) = delete;
  InsideBody& operator=(const InsideBody&) = delete;

 private:
  // On the other threads a library is in an OpenMP region and uses one thread. It must do the same here.
  const OneOpenMpThread one_thread_;
};

/// Up to so many threads get one range each.
constexpr int64_t kFewThreads = 4;

/// Does the work on several threads, in at most `most` ranges. Returns false, and does nothing, where this thread
/// should do it alone.
bool Share(int64_t count, int64_t most, const std::function<void(int64_t, int64_t)>& body) {
  if (most <= 1 || inside_body || WorkerTeam::OnWorker() || omp_in_parallel()) return false;
  const bool always = always_share.load(std::memory_order_relaxed) > 0;
  int64_t threads = std::min<int64_t>({most, NumThreads(), WorkerTeam::kMaxParticipants});
  if (!always) threads = std::min<int64_t>(threads, usable_processors.load(std::memory_order_relaxed));
  if (threads <= 1) return false;
  thread_local HelpBalance balance;
  if (!always && !balance.ShouldAsk(Nanoseconds())) return false;

  const int64_t ranges = threads <= kFewThreads ? threads : std::min(most, threads * kRangesOfAThread);
  const int64_t least = count / ranges, larger = count % ranges;  // The first `larger` ranges have one item more.
  const auto run = [&](int64_t range) {
    const int64_t begin = range * least + std::min(range, larger);
    body(begin, begin + least + (range < larger ? 1 : 0));
  };
  const InsideBody inside;
  return WorkerTeam::Get().Run(static_cast<int>(threads), static_cast<int>(ranges), std::ref(run), balance);
}
#endif

}  // namespace

void SetNumThreads(int count) {
  if (count < 0 || count > 1024) throw Error(fmt::format("threads: got {}, expected 0 (all) to 1024", count));
  UseThreads(count);
}

int NumThreads() {
  if (num_threads.load(std::memory_order_relaxed) == 0) UseThreads(0);
  return num_threads.load(std::memory_order_relaxed);
}

void ParallelFor(int64_t count, [[maybe_unused]] int64_t grain, const std::function<void(int64_t, int64_t)>& body) {
  if (count <= 0) return;
#ifdef _OPENMP
  if (Share(count, count / std::max<int64_t>(grain, 1), body)) return;
  const OneOpenMpThread one_thread;
#endif
  body(0, count);
}

int64_t ItemsForThreads() {
  constexpr int64_t kItemsForFew = 16;
  return std::max(kItemsForFew, kRangesOfAThread * NumThreads());
}

namespace internal {

AlwaysShare::AlwaysShare() { ++always_share; }
AlwaysShare::~AlwaysShare() { --always_share; }

}  // namespace internal
}  // namespace twofour
