#pragma once

// Loops over arrays of vectors must be unrolled completely. Otherwise the compiler keeps the arrays in memory and not
// in registers.
#if defined(__clang__)
#define TWOFOUR_UNROLL _Pragma("clang loop unroll(full)")
#define TWOFOUR_UNROLL_BY_4 _Pragma("clang loop unroll_count(4)")
#else
#define TWOFOUR_UNROLL _Pragma("GCC unroll 16")
#define TWOFOUR_UNROLL_BY_4 _Pragma("GCC unroll 4")
#endif

// For a function most of whose time goes into unrolled loops: UBSan's checks of their counters keep GCC from unrolling
// them, and then each vector of sums lies in memory. AddressSanitizer checks all accesses nevertheless.
#define TWOFOUR_UNROLL_WITH_SANITIZERS __attribute__((no_sanitize("undefined")))
