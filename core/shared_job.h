#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <utility>

namespace twofour {

/// A job that several threads do together: pieces 0 to n - 1, each of them once. Every participant has its own queue of
/// neighbouring pieces, so that in loop after loop a thread finds its data in its caches. When its queue is empty, it
/// takes pieces from the queues of others, so that nobody waits for a piece that nobody has begun. One SharedJob serves
/// job after job and must live as long as threads may look at it.
class SharedJob {
 public:
  using Run = std::function<void(int piece)>;
  static constexpr int kMaxParticipants = 1024, kMaxPieces = 1 << 20;
  static constexpr size_t kCacheLine = 64;

  /// How helpers' work is measured. Time on the processor leaves out the time for which the system put a thread aside,
  /// but takes longer to read.
  enum class Clock { kWall, kProcessor };

  /// Starts a job, once the one before is done. `run` must live until WaitUntilDone returns.
  void Open(int participants, int pieces, const Run& run, Clock clock);

  /// Runs pieces as participant 0, who opened the job, until all have been begun. Returns how many it ran.
  int RunOwn();

  /// Runs pieces as another participant, until all have been begun. Returns how many it ran: 0 where there is no job,
  /// or a job for fewer participants. Before its first piece it calls at_first(the job's number of participants).
  int Help(int participant, const std::function<void(int participants)>& at_first);

  /// Waits until the pieces that others have begun are done: spins for `spin` nanoseconds, then sleeps. `own` is what
  /// RunOwn returned.
  void WaitUntilDone(int own, int64_t spin);

  /// After WaitUntilDone: the nanoseconds that helpers worked on this job, all of them together.
  int64_t helped() const { return helped_.load(std::memory_order_relaxed); }

  /// After WaitUntilDone: what a piece threw, or null. If several did, one of them.
  std::exception_ptr TakeFailure() { return std::exchange(failure_, nullptr); }

 private:
  /// Pieces [next, end), and the job's number of participants, in one word. The thread that advances `next` has a piece
  /// of the job that is open at that moment. That job stays open until the piece is done.
  struct alignas(kCacheLine) Queue {
    std::atomic<uint64_t> word{0};
  };
  /// If there are more participants than this, they share queues.
  static constexpr int kQueues = 64;

  bool Take(int participant, int* piece, int* participants);
  void RunPiece(int piece);

  // Written before the queues are filled; read by threads that have a piece.
  const Run* run_ = nullptr;
  Clock clock_ = Clock::kWall;
  std::exception_ptr failure_;
  std::mutex failure_mutex_;

  std::atomic<int> queues_used_{0};
  /// Twice the number of pieces that are not done, plus one while participant 0 sleeps until there are none.
  alignas(kCacheLine) std::atomic<uint32_t> unfinished_{0};
  std::atomic<int64_t> helped_{0};
  Queue queues_[kQueues];
};

}  // namespace twofour
