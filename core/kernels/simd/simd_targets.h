#pragma once

// Says which instruction sets SIMD kernels are compiled for. Every file that includes a header of Highway includes this
// file first, because all files must agree.

// Builds with sanitizers define this: see TwofourTargets.cmake.
#ifdef TWOFOUR_FEW_TARGETS
#define TWOFOUR_LEFT_OUT_TARGETS HWY_AVX3
#else
#define TWOFOUR_LEFT_OUT_TARGETS 0
#endif

// Nobody trains on a processor that has SSSE3 but not SSE4. Arrays cannot hold the vectors of SVE, because their length
// is not known.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE_256 | HWY_SVE2 | HWY_SVE2_128 | TWOFOUR_LEFT_OUT_TARGETS)

// The portable kernels work on vectors of 128 bits, because all other instruction sets have at least these. Highway
// withholds such vectors from GCC before 12.3, which has a bug in vectorised upper halves of products (GCC bug 106322).
// No kernel here takes upper halves of products.
#define HWY_BROKEN_EMU128 0
