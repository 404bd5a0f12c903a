#include "twofour/core/kernels/simd/simd_targets.h"
//
#include <cmath>

#include "twofour/core/kernels/rows/norm_loops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "twofour/core/kernels/rows/norm_loops.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "twofour/core/kernels/simd/double_sums-inl.h"
#include "twofour/core/kernels/simd/simd_table.h"
#include "twofour/core/kernels/simd/vector_loop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace twofour::kernels::HWY_NAMESPACE {

struct CenteredProduct {
  VF64 center;
  HWY_INLINE VF64 operator()(VF64 x, VF64 dy) const { return hn::Mul(dy, hn::Sub(x, center)); }
  HWY_INLINE VF64 operator()(VF64 x, VF64 dy, VF64 weight) const {
    return hn::Mul(hn::Mul(dy, weight), hn::Sub(x, center));
  }
};

template <typename T>
double DotOfNormGradLoop(int64_t n, double center, const T* x, const float* weight, const T* dy) {
  const CenteredProduct product{hn::Set(F64(), center)};
  return weight == nullptr ? SumTerms(n, product, x, dy) : SumTerms(n, product, x, dy, weight);
}

struct Normalized {
  VF32 center, scale;
  HWY_INLINE VF32 operator()(VF32 x) const { return hn::Mul(hn::Sub(x, center), scale); }
  HWY_INLINE VF32 operator()(VF32 x, VF32 weight) const { return hn::Mul((*this)(x), weight); }
  HWY_INLINE VF32 operator()(VF32 x, VF32 weight, VF32 bias) const { return hn::Add((*this)(x, weight), bias); }
};

struct NormalizedPlus {
  Normalized normalized;
  HWY_INLINE VF32 operator()(VF32 x, VF32 bias) const { return hn::Add(normalized(x), bias); }
};

Normalized MakeNormalized(float center, float scale) { return {hn::Set(F32(), center), hn::Set(F32(), scale)}; }

template <typename T>
void NormalizeLoop(int64_t n, float center, float scale, const T* x, const float* weight, const float* bias, T* y) {
  const Normalized normalized = MakeNormalized(center, scale);
  if (weight != nullptr && bias != nullptr) {
    MapVectors(n, y, normalized, x, weight, bias);
  } else if (weight != nullptr) {
    MapVectors(n, y, normalized, x, weight);
  } else if (bias != nullptr) {
    MapVectors(n, y, NormalizedPlus{normalized}, x, bias);
  } else {
    MapVectors(n, y, normalized, x);
  }
}

struct InputGrad {
  Normalized normalized;
  VF32 mean_g, mean_gn;
  HWY_INLINE VF32 operator()(VF32 x, VF32 g) const {
    const VF32 centered = hn::Sub(hn::Sub(g, mean_g), hn::Mul(normalized(x), mean_gn));
    return hn::Mul(normalized.scale, centered);
  }
  HWY_INLINE VF32 operator()(VF32 x, VF32 dy, VF32 weight) const { return (*this)(x, hn::Mul(dy, weight)); }
};

template <typename T>
void NormGradLoop(int64_t n, float center, float scale, float mean_g, float mean_gn, const T* x, const float* weight,
                  const T* dy, T* dx) {
  const InputGrad grad{MakeNormalized(center, scale), hn::Set(F32(), mean_g), hn::Set(F32(), mean_gn)};
  if (weight == nullptr) {
    MapVectors(n, dx, grad, x, dy);
  } else {
    MapVectors(n, dx, grad, x, dy, weight);
  }
}

template <typename T>
void RmsNormLoop(int64_t rows, int64_t cols, double eps, const T* x, const float* weight, T* y, float* inverse_rms) {
  for (int64_t r = 0; r < rows; ++r, x += cols, y += cols) {
    const double mean = SumTerms(cols, Square(), x) / static_cast<double>(cols);
    inverse_rms[r] = static_cast<float>(1.0 / std::sqrt(mean + eps));
    NormalizeLoop(cols, 0.0f, inverse_rms[r], x, weight, nullptr, y);
  }
}

template <typename T>
void RmsNormGradLoop(int64_t rows, int64_t cols, const T* x, const float* weight, const float* inverse_rms, const T* dy,
                     T* dx) {
  // With n = x * s and g = dy * weight: dx = s * (g - n * mean(g * n)).
  for (int64_t r = 0; r < rows; ++r, x += cols, dy += cols, dx += cols) {
    const double dot = DotOfNormGradLoop(cols, 0.0, x, weight, dy) * static_cast<double>(inverse_rms[r]);
    NormGradLoop(cols, 0.0f, inverse_rms[r], 0.0f, static_cast<float>(dot / static_cast<double>(cols)), x, weight, dy,
                 dx);
  }
}

template <typename T>
void NormalizedProductLoop(int64_t n, float center, float scale, const T* x, const T* dy, float* out) {
  MapVectors(n, out, MakeNormalized(center, scale), x, dy);
}

TWOFOUR_NAME_INSTANCES(RmsNormLoop);
TWOFOUR_NAME_INSTANCES(RmsNormGradLoop);
TWOFOUR_NAME_INSTANCES(DotOfNormGradLoop);
TWOFOUR_NAME_INSTANCES(NormalizeLoop);
TWOFOUR_NAME_INSTANCES(NormGradLoop);
TWOFOUR_NAME_INSTANCES(NormalizedProductLoop);

}  // namespace twofour::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace twofour::kernels {

TWOFOUR_EXPORT_INSTANCES(RmsNormLoop);
TWOFOUR_EXPORT_INSTANCES(RmsNormGradLoop);
TWOFOUR_EXPORT_INSTANCES(DotOfNormGradLoop);
TWOFOUR_EXPORT_INSTANCES(NormalizeLoop);
TWOFOUR_EXPORT_INSTANCES(NormGradLoop);
TWOFOUR_EXPORT_INSTANCES(NormalizedProductLoop);

namespace loops {

#define TWOFOUR_LOOPS(T)                                                                                               \
  void RmsNorm(int64_t rows, int64_t cols, double eps, const T* x, const float* weight, T* y, float* inverse_rms) {    \
    TWOFOUR_DISPATCH_INSTANCE(RmsNormLoop, T)(rows, cols, eps, x, weight, y, inverse_rms);                             \
  }                                                                                                                    \
  void RmsNormGrad(int64_t rows, int64_t cols, const T* x, const float* weight, const float* inverse_rms, const T* dy, \
                   T* dx) {                                                                                            \
    TWOFOUR_DISPATCH_INSTANCE(RmsNormGradLoop, T)(rows, cols, x, weight, inverse_rms, dy, dx);                         \
  }                                                                                                                    \
  double DotOfNormGrad(int64_t n, double center, const T* x, const float* weight, const T* dy) {                       \
    return TWOFOUR_DISPATCH_INSTANCE(DotOfNormGradLoop, T)(n, center, x, weight, dy);                                  \
  }                                                                                                                    \
  void Normalize(int64_t n, float center, float scale, const T* x, const float* weight, const float* bias, T* y) {     \
    TWOFOUR_DISPATCH_INSTANCE(NormalizeLoop, T)(n, center, scale, x, weight, bias, y);                                 \
  }                                                                                                                    \
  void NormGrad(int64_t n, float center, float scale, float mean_g, float mean_gn, const T* x, const float* weight,    \
                const T* dy, T* dx) {                                                                                  \
    TWOFOUR_DISPATCH_INSTANCE(NormGradLoop, T)(n, center, scale, mean_g, mean_gn, x, weight, dy, dx);                  \
  }                                                                                                                    \
  void NormalizedProduct(int64_t n, float center, float scale, const T* x, const T* dy, float* out) {                  \
    TWOFOUR_DISPATCH_INSTANCE(NormalizedProductLoop, T)(n, center, scale, x, dy, out);                                 \
  }
TWOFOUR_LOOPS(float)
TWOFOUR_LOOPS(BFloat16)
#undef TWOFOUR_LOOPS

}  // namespace loops
}  // namespace twofour::kernels
#endif  // HWY_ONCE
