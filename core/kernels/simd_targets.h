#pragma once

// Which instruction sets SIMD kernels are compiled for. To be included before any Highway header, by every file that
// uses one: all must agree.

// SSSE3 without SSE4 is a processor that nobody trains on; vectors of unknown length (SVE) cannot be held in arrays.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE_256 | HWY_SVE2 | HWY_SVE2_128)
