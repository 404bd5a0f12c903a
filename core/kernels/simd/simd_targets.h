#pragma once

// Which instruction sets SIMD kernels are compiled for. To be included before any Highway header, by every file that
// uses one: all must agree.

// Builds with sanitizers define this: see TwofourTargets.cmake.
#ifdef TWOFOUR_FEW_TARGETS
#define TWOFOUR_LEFT_OUT_TARGETS HWY_AVX3
#else
#define TWOFOUR_LEFT_OUT_TARGETS 0
#endif

// SSSE3 without SSE4 is a processor that nobody trains on; vectors of unknown length (SVE) cannot be held in arrays.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE_256 | HWY_SVE2 | HWY_SVE2_128 | TWOFOUR_LEFT_OUT_TARGETS)

// The portable kernels work on 128-bit vectors, as all others do at least. Highway withholds such vectors from GCC
// before 12.3 for a bug in how products' upper halves are vectorised (GCC bug 106322); no kernel here takes any.
#define HWY_BROKEN_EMU128 0
