#pragma once

namespace twofour::test {

/// Whether a sanitizer is at work: it slows a build down some twenty times, and its allocator has rules of its own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace twofour::test
