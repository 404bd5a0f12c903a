#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "twofour/core/help_balance.h"
#include "twofour/core/shared_job.h"

namespace twofour {

/// Threads that wait for jobs. They spin for some microseconds first, because loops follow each other closely in
/// training, and then sleep. They are the threads of an OpenMP region that never ends, so OpenMP's settings bind and
/// limit them. They are started when they are first needed and stay until the process ends. Without OpenMP there are
/// none.
class WorkerTeam {
 public:
  static constexpr int kMaxParticipants = SharedJob::kMaxParticipants;

  /// The team of this process. After fork() the child has one of its own, since it inherits no threads.
  static WorkerTeam& Get();

  /// Calls run(i) once for each i in [0, pieces), on this thread and on up to `participants` - 1 others, and returns
  /// when all are done. An exception that a piece throws is thrown here, after the others are done. Any number of
  /// threads may call this at once, but not from within `run`. Returns false, and does nothing, where too many threads
  /// do.
  bool Run(int participants, int pieces, const SharedJob::Run& run, HelpBalance& balance);

  /// True on the team's own threads.
  static bool OnWorker();

 private:
  static constexpr int kMaxWorkers = kMaxParticipants - 1;
  /// Jobs that can be open at once.
  static constexpr int kJobs = 8;

  struct alignas(SharedJob::kCacheLine) Worker {
    std::atomic<uint32_t> asleep{0};
  };

  WorkerTeam() = default;

  static void ForgetAfterFork();
  int TakeSlot();
  void WakeChildren(int participant, int participants);
  bool HelpAll(int participant);
  void HaveWorkers(int count);
  void StartWorkers(int first, int count);
  [[noreturn]] void Work(int worker);

  /// Counts the jobs that were opened. Idle threads watch it.
  alignas(SharedJob::kCacheLine) std::atomic<uint32_t> posted_{0};
  /// A bit for each of jobs_ that is in use.
  alignas(SharedJob::kCacheLine) std::atomic<uint32_t> open_{0};
  std::atomic<int> num_workers_{0};
  std::mutex start_mutex_;
  WorkerTeam* parent_ = nullptr;  // The team of the process that this one was forked from.
  SharedJob jobs_[kJobs];
  Worker workers_[kMaxWorkers];
};

}  // namespace twofour
