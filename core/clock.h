#pragma once

#include <time.h>

#include <cstdint>

namespace twofour {

inline int64_t ClockNanoseconds(clockid_t clock) {
  timespec time;
  clock_gettime(clock, &time);
  return time.tv_sec * int64_t{1'000'000'000} + time.tv_nsec;
}

/// Nanoseconds since some moment in the past. A call takes some tens of nanoseconds.
inline int64_t Nanoseconds() { return ClockNanoseconds(CLOCK_MONOTONIC); }

/// Nanoseconds that the calling thread has been running on a processor. A call is a system call and takes some hundreds
/// of nanoseconds.
inline int64_t ThreadCpuNanoseconds() { return ClockNanoseconds(CLOCK_THREAD_CPUTIME_ID); }

}  // namespace twofour
