#pragma once

// For files that compile one kernel for each instruction set (hwy/foreach_target.h) and list the kernels in a table.
// TWOFOUR_FOR_EACH_ISA(M) expands to M(NAMESPACE, ISA) for each instruction set, fastest first. NAMESPACE is what
// HWY_NAMESPACE was for the set, and ISA is its Isa.
//
// Each NAMESPACE has a function that makes the table's entry for its set. All these functions run on every processor,
// even on one that lacks the set. So write this function below HWY_AFTER_NAMESPACE(), where code is compiled for the
// baseline, and open the namespace HWY_NAMESPACE again there. core/kernels/gemm/float_gemm.cc is an example.
//
// TWOFOUR_DYNAMIC_DISPATCH(FUNCTION)(...) calls the version of a function for the fastest set that TWOFOUR_MAX_ISA
// allows.
//
// HWY_EXPORT takes no template. If FUNCTION is one, TWOFOUR_NAME_INSTANCES(FUNCTION), in the namespace of each set,
// gives names to FUNCTION<float> and FUNCTION<BFloat16>. TWOFOUR_EXPORT_INSTANCES(FUNCTION) exports both, and
// TWOFOUR_DISPATCH_INSTANCE(FUNCTION, T)(...) calls the one for T.

#include <hwy/highway.h>

#include "twofour/core/kernels/simd/simd_isa.h"

#define TWOFOUR_DYNAMIC_DISPATCH(function) (twofour::ApplyIsaLimit(), HWY_DYNAMIC_DISPATCH(function))

#define TWOFOUR_NAME_INSTANCES(function)              \
  constexpr auto& function##_float = function<float>; \
  constexpr auto& function##_BFloat16 = function<BFloat16>
#define TWOFOUR_EXPORT_INSTANCES(function) \
  HWY_EXPORT(function##_float);            \
  HWY_EXPORT(function##_BFloat16)
#define TWOFOUR_DISPATCH_INSTANCE(function, T) TWOFOUR_DYNAMIC_DISPATCH(function##_##T)

#if HWY_TARGETS & HWY_AVX3
#define TWOFOUR_IF_AVX3(M) M(N_AVX3, twofour::Isa::kAvx512)
#else
#define TWOFOUR_IF_AVX3(M)
#endif
#if HWY_TARGETS & HWY_AVX2
#define TWOFOUR_IF_AVX2(M) M(N_AVX2, twofour::Isa::kAvx2)
#else
#define TWOFOUR_IF_AVX2(M)
#endif
#if HWY_TARGETS & HWY_SSE4
#define TWOFOUR_IF_SSE4(M) M(N_SSE4, twofour::Isa::kSse4)
#else
#define TWOFOUR_IF_SSE4(M)
#endif
#if HWY_TARGETS & HWY_NEON
#define TWOFOUR_IF_NEON(M) M(N_NEON, twofour::Isa::kNeon)
#else
#define TWOFOUR_IF_NEON(M)
#endif
#if HWY_TARGETS & HWY_EMU128
#define TWOFOUR_IF_EMU128(M) M(N_EMU128, twofour::Isa::kPortable)
#else
#define TWOFOUR_IF_EMU128(M)
#endif

#if HWY_TARGETS & HWY_SCALAR
#define TWOFOUR_IF_SCALAR(M) M(N_SCALAR, twofour::Isa::kPortable)
#else
#define TWOFOUR_IF_SCALAR(M)
#endif

#define TWOFOUR_FOR_EACH_ISA(M) \
  TWOFOUR_IF_AVX3(M) TWOFOUR_IF_AVX2(M) TWOFOUR_IF_SSE4(M) TWOFOUR_IF_NEON(M) TWOFOUR_IF_EMU128(M) TWOFOUR_IF_SCALAR(M)
