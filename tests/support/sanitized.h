#pragma once

namespace twofour::test {

/// Whether a sanitizer slows this build down, some twenty times. For tests that only want a run to take a while.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace twofour::test
