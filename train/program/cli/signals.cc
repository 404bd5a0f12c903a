#include "twofour/train/program/cli/signals.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <ctime>

#include "twofour/train/stop_signals.h"

namespace twofour::train {
namespace {

constexpr int64_t kOneOrder = 500'000'000;  // Nanoseconds. The same signal again within this time is no second request.

// The state of the signal handler, which may touch nothing but lock-free atomics.
std::atomic<StopRequest*> request{nullptr};
std::array<std::atomic<int64_t>, NSIG> first_at{};  // When each signal first came; 0: not yet.
static_assert(std::atomic<int64_t>::is_always_lock_free && std::atomic<StopRequest*>::is_always_lock_free);

int64_t Now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

[[noreturn]] void EndAtOnce(int signal) {
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  sigaction(signal, &action, nullptr);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  raise(signal);
  _exit(128 + signal);  // The first process of a container survives signals that it does not handle.
}

extern "C" void OnStopSignal(int signal) {
  const int error = errno;  // Belongs to the interrupted call.
  int64_t first = 0;
  const int64_t now = Now();
  if (first_at[static_cast<size_t>(signal)].compare_exchange_strong(first, now)) {
    StopRequest& stop = *request.load();
    int none = 0;
    stop.signal.compare_exchange_strong(none, signal);
    stop.stop = true;
  } else if (signal != SIGXCPU && now - first >= kOneOrder) {
    EndAtOnce(signal);
  }
  errno = error;
}

/// Does nothing, so that the system call that raised the signal fails. Ignoring the signal would have the same effect,
/// but programs that this one starts would inherit that.
extern "C" void OnFailedWrite(int /*signal*/) {}

/// Installs a handler, unless the signal is ignored. Returns the action before.
struct sigaction Handle(int signal, void (*handler)(int), int flags) {
  struct sigaction before = {};
  sigaction(signal, nullptr, &before);
  if (before.sa_handler == SIG_IGN) return before;
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigaction(signal, &action, nullptr);
  return before;
}

}  // namespace

void HandleSignals(StopRequest& stop) {
  request = &stop;
  // System calls are not restarted, so that one that waits for a reader who has stopped reading sees the request.
  for (const int signal : kStopSignals) Handle(signal, OnStopSignal, 0);
  Handle(SIGXFSZ, OnFailedWrite, SA_RESTART);
}

OutlivesReaders::OutlivesReaders() : before_(Handle(SIGPIPE, OnFailedWrite, SA_RESTART)) {}

OutlivesReaders::~OutlivesReaders() { sigaction(SIGPIPE, &before_, nullptr); }

}  // namespace twofour::train
