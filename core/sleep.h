#pragma once

#include <atomic>
#include <cstdint>

namespace twofour {

/// Sleeps while `word` holds `value`, until WakeOne. May also return without a cause. Linux uses a futex and not
/// std::atomic::wait, because that of GCC 12 calls sched_yield before it sleeps. Beside busy processes this costs the
/// thread its turn.
void SleepWhile(std::atomic<uint32_t>& word, uint32_t value);

/// Wakes one thread that sleeps on `word`.
void WakeOne(std::atomic<uint32_t>& word);

/// Tells the processor that this thread only waits. For the body of a loop that spins.
inline void SpinPause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("isb");
#endif
}

}  // namespace twofour
