#include "twofour/core/worker_team.h"

#ifdef _OPENMP
#include <omp.h>
#endif
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <bit>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "twofour/core/clock.h"
#include "twofour/core/sleep.h"

namespace twofour {
namespace {

/// How long a thread that waits spins before it sleeps, in nanoseconds: about as long as it takes to wake it.
constexpr int64_t kSpin = 50'000;
/// Threads that one thread wakes. These wake others in turn, so that many are awake soon.
constexpr int kChildren = 8;

thread_local bool on_worker = false;

// Never deleted: the workers look at it until the process ends.
std::atomic<WorkerTeam*> current_team{nullptr};
// The team that a forked process inherited, kept so that leak checkers find it.
WorkerTeam* inherited_team = nullptr;

/// While it lives, threads that are started leave signals to the program's own threads, which may be waiting for them.
/// Exceptions are the signals that a thread itself causes, and the profiler's.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t signals;
    sigfillset(&signals);
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGPROF}) sigdelset(&signals, own);
    pthread_sigmask(SIG_BLOCK, &signals, &previous_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &previous_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t previous_;
};

/// How many of `count` additional threads the system grants at this moment.
[[maybe_unused]] int CountGranted(int count) {
  std::mutex all_started;
  std::vector<std::thread> threads;
  {
    const std::lock_guard hold(all_started);
    try {
      threads.reserve(static_cast<size_t>(count));
      while (static_cast<int>(threads.size()) < count) {
        threads.emplace_back([&all_started] { const std::lock_guard wait(all_started); });
      }
    } catch (const std::exception&) {  // The system grants no more.
    }
  }
  for (std::thread& thread : threads) thread.join();
  return static_cast<int>(threads.size());
}

[[maybe_unused]] void SleepForever() {
  static std::atomic<uint32_t> never{0};
  for (;;) SleepWhile(never, 0);
}

}  // namespace

WorkerTeam& WorkerTeam::Get() {
  WorkerTeam* team = current_team.load(std::memory_order_acquire);
  if (team != nullptr) return *team;
  auto* const mine = new WorkerTeam;
  mine->parent_ = inherited_team;
  if (!current_team.compare_exchange_strong(team, mine)) {
    delete mine;  // Another thread was faster.
    return *team;
  }
  [[maybe_unused]] static const int registered = pthread_atfork(nullptr, nullptr, ForgetAfterFork);
  return *mine;
}

void WorkerTeam::ForgetAfterFork() {
  WorkerTeam* const team = current_team.exchange(nullptr);
  if (team != nullptr) inherited_team = team;
}

bool WorkerTeam::OnWorker() { return on_worker; }

bool WorkerTeam::Run(int participants, int pieces, const SharedJob::Run& run, HelpBalance& balance) {
  HaveWorkers(participants - 1);
  const int slot = TakeSlot();
  if (slot < 0) return false;
  SharedJob& job = jobs_[slot];
  const int64_t begin = Nanoseconds();
  const bool wary = balance.IsWary(begin);
  job.Open(participants, pieces, run, wary ? SharedJob::Clock::kProcessor : SharedJob::Clock::kWall);
  // Sequentially consistent, as are a worker's store to `asleep` and its last look at posted_ after that. So if a
  // worker goes to sleep without having seen this job, it is seen to be asleep here.
  posted_.fetch_add(1);
  WakeChildren(0, participants);
  const int64_t asked = Nanoseconds(), ran = wary ? ThreadCpuNanoseconds() : 0;
  const int own = job.RunOwn();
  const int64_t own_done = Nanoseconds();
  const int64_t aside = wary ? own_done - asked - (ThreadCpuNanoseconds() - ran) : 0;
  job.WaitUntilDone(own, kSpin);
  const int64_t end = Nanoseconds();
  balance.Book(end, {.helped = job.helped(), .asking = asked - begin, .aside = aside, .waited = end - own_done});
  const std::exception_ptr failure = job.TakeFailure();
  open_.fetch_and(~(1u << slot), std::memory_order_release);
  if (failure) std::rethrow_exception(failure);
  return true;
}

/// Takes an unused one of jobs_ and returns its index; -1 where there is none.
int WorkerTeam::TakeSlot() {
  uint32_t open = open_.load(std::memory_order_relaxed);
  for (;;) {
    const int slot = std::countr_one(open);
    if (slot >= kJobs) return -1;
    if (open_.compare_exchange_weak(open, open | 1u << slot, std::memory_order_acquire)) return slot;
  }
}

void WorkerTeam::WakeChildren(int participant, int participants) {
  const int first = kChildren * participant + 1;
  for (int child = first; child < std::min(first + kChildren, participants); ++child) {
    std::atomic<uint32_t>& asleep = workers_[child - 1].asleep;
    if (asleep.load() == 1 && asleep.exchange(0) == 1) WakeOne(asleep);
  }
}

/// Helps with all open jobs; false where there was nothing to do.
bool WorkerTeam::HelpAll(int participant) {
  const auto wake = [&](int participants) { WakeChildren(participant, participants); };
  int pieces = 0;
  for (uint32_t open = open_.load(std::memory_order_acquire); open != 0; open &= open - 1) {
    pieces += jobs_[std::countr_zero(open)].Help(participant, wake);
  }
  return pieces > 0;
}

void WorkerTeam::Work(int worker) {
  on_worker = true;
#ifdef _OPENMP
  omp_set_num_threads(1);  // In case OpenMP is set to allow regions in regions.
#endif
  std::atomic<uint32_t>& asleep = workers_[worker].asleep;
  for (;;) {
    const uint32_t seen = posted_.load();
    if (HelpAll(worker + 1)) continue;
    for (const int64_t end = Nanoseconds() + kSpin; posted_.load() == seen && Nanoseconds() < end;) {
      for (int i = 0; i < 8; ++i) SpinPause();
    }
    if (posted_.load() != seen) continue;
    asleep.store(1);
    if (posted_.load() != seen) asleep.store(0);
    while (asleep.load() == 1) SleepWhile(asleep, 1);
  }
}

void WorkerTeam::HaveWorkers(int count) {
  count = std::min(count, kMaxWorkers);
  if (num_workers_.load(std::memory_order_acquire) >= count) return;
  const std::lock_guard lock(start_mutex_);
  const int have = num_workers_.load(std::memory_order_relaxed);
  if (have >= count) return;
  StartWorkers(have, count - have);
  num_workers_.store(count, std::memory_order_release);
}

void WorkerTeam::StartWorkers([[maybe_unused]] int first, [[maybe_unused]] int count) {
#ifdef _OPENMP
  const SignalsBlocked blocked;
  // OpenMP ends the process where it gets fewer threads than it asked for. So we ask first: for its threads, for the
  // thread that opens the region, and for one that may still be ending when OpenMP asks.
  constexpr int kBesides = 2;
  count = std::min(count, CountGranted(count + kBesides) - kBesides);
  if (count <= 0) return;  // The callers then do their work themselves.
  try {
    // A thread of its own opens the region, because it never returns from it.
    std::thread([=, this] {
      omp_set_dynamic(0);  // The region stays, so the machine's load at this moment must not decide its size.
#pragma omp parallel num_threads(count + 1)
      {
        // The region's first thread stands in for the caller, which brings the work.
        if (omp_get_thread_num() == 0) SleepForever();
        Work(first + omp_get_thread_num() - 1);
      }
    }).detach();
  } catch (const std::system_error&) {
    // The system has no thread for us. The callers then do their work themselves.
  }
#endif
}

}  // namespace twofour
