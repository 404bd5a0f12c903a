#include "twofour/core/shared_job.h"

#include <algorithm>
#include <cassert>

#include "twofour/core/clock.h"
#include "twofour/core/sleep.h"

namespace twofour {
namespace {

constexpr int kPieceBits = 24;
constexpr uint64_t kPieceMask = (uint64_t{1} << kPieceBits) - 1;

constexpr uint64_t QueueWord(int participants, int next, int end) {
  return static_cast<uint64_t>(participants) << 2 * kPieceBits | static_cast<uint64_t>(end) << kPieceBits |
         static_cast<uint64_t>(next);
}
constexpr int Participants(uint64_t word) { return static_cast<int>(word >> 2 * kPieceBits); }
constexpr int End(uint64_t word) { return static_cast<int>(word >> kPieceBits & kPieceMask); }
constexpr int Next(uint64_t word) { return static_cast<int>(word & kPieceMask); }

int64_t Now(SharedJob::Clock clock) {
  return clock == SharedJob::Clock::kWall ? Nanoseconds() : ThreadCpuNanoseconds();
}

}  // namespace

void SharedJob::Open(int participants, int pieces, const Run& run, Clock clock) {
  assert(participants >= 1 && participants <= kMaxParticipants && pieces >= 0 && pieces <= kMaxPieces);
  run_ = &run;
  clock_ = clock;
  unfinished_.store(2 * static_cast<uint32_t>(pieces), std::memory_order_relaxed);
  helped_.store(0, std::memory_order_relaxed);
  const int queues = std::min(participants, kQueues);
  queues_used_.store(queues, std::memory_order_relaxed);
  const auto begin = [&](int queue) { return static_cast<int>(int64_t{pieces} * queue / queues); };
  for (int q = 0; q < queues; ++q) {
    queues_[q].word.store(QueueWord(participants, begin(q), begin(q + 1)), std::memory_order_release);
  }
}

int SharedJob::RunOwn() {
  int count = 0, piece, participants;
  for (; Take(0, &piece, &participants); ++count) RunPiece(piece);
  return count;
}

int SharedJob::Help(int participant, const std::function<void(int)>& at_first) {
  int count = 0, piece, participants;
  for (; Take(participant, &piece, &participants); ++count) {
    if (count == 0) at_first(participants);
    const Clock clock = clock_;
    const int64_t begin = Now(clock);
    RunPiece(piece);
    helped_.fetch_add(Now(clock) - begin, std::memory_order_relaxed);
    // After this the job may be over and the next one open.
    if (unfinished_.fetch_sub(2, std::memory_order_acq_rel) == 3) WakeOne(unfinished_);
  }
  return count;
}

void SharedJob::WaitUntilDone(int own, int64_t spin) {
  const uint32_t done = 2 * static_cast<uint32_t>(own);
  uint32_t left = unfinished_.fetch_sub(done, std::memory_order_acq_rel) - done;
  if (left == 0) return;
  for (const int64_t end = Nanoseconds() + spin; left != 0 && Nanoseconds() < end;) {
    for (int i = 0; i < 4; ++i) SpinPause();
    left = unfinished_.load(std::memory_order_acquire);
  }
  if (left == 0) return;
  left = unfinished_.fetch_or(1, std::memory_order_acq_rel) | 1;
  while (left != 1) {
    SleepWhile(unfinished_, left);
    left = unfinished_.load(std::memory_order_acquire);
  }
}

bool SharedJob::Take(int participant, int* piece, int* participants) {
  // This may be the value of the job before. Then some queues are skipped this time.
  const int queues = queues_used_.load(std::memory_order_relaxed);
  for (int i = 0; i < queues; ++i) {
    std::atomic<uint64_t>& queue = queues_[(participant + i) % queues].word;
    uint64_t word = queue.load(std::memory_order_acquire);
    while (Next(word) < End(word) && participant < Participants(word)) {
      if (!queue.compare_exchange_weak(word, word + 1, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
      *piece = Next(word);
      *participants = Participants(word);
      return true;
    }
  }
  return false;
}

void SharedJob::RunPiece(int piece) {
  try {
    (*run_)(piece);
  } catch (...) {
    const std::lock_guard lock(failure_mutex_);
    if (!failure_) failure_ = std::current_exception();
  }
}

}  // namespace twofour
