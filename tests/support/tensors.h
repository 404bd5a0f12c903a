#pragma once

#include <cstdint>
#include <vector>

#include "twofour/core/parallel.h"
#include "twofour/core/random.h"
#include "twofour/core/tensor.h"

namespace twofour::test {

/// Tensors of the numbers given, in row-major order.
inline Tensor F32(const std::vector<float>& values, Shape shape) {
  return Tensor::FromVector(values, std::move(shape));
}
inline Tensor F64(const std::vector<double>& values, Shape shape) {
  return Tensor::FromVector(values, std::move(shape));
}
inline Tensor I32(const std::vector<int32_t>& values, Shape shape) {
  return Tensor::FromVector(values, std::move(shape));
}

/// Uniform numbers from [low, high) that depend on `key` alone.
Tensor RandomF32(const Shape& shape, const RandomKey& key, double low = -1.0, double high = 1.0);
Tensor RandomF64(const Shape& shape, const RandomKey& key, double low = -1.0, double high = 1.0);
/// A bool tensor of which about half is true.
Tensor RandomBools(const Shape& shape, const RandomKey& key);
/// Magnitudes from [0.25, 1.25) with random signs, so that no difference quotient straddles a kink at 0.
Tensor RandomAwayFromZero(const Shape& shape, const RandomKey& key);
/// i32 numbers from [0, bound).
Tensor RandomIndices(const Shape& shape, uint32_t bound, const RandomKey& key);

/// Fails the test, at the caller's line, unless shapes and dtypes are equal and |actual - expected| <= atol + rtol
/// |expected| at every element. Equal infinities are close, and so are two NaNs. The message names the first bad
/// element.
void ExpectClose(const Tensor& actual, const Tensor& expected, double rtol = 1e-5, double atol = 1e-6,
                 const char* file = __builtin_FILE(), int line = __builtin_LINE());

/// Fails the test, at the caller's line, unless shapes, dtypes and all bytes are equal.
void ExpectBitEqual(const Tensor& actual, const Tensor& expected, const char* file = __builtin_FILE(),
                    int line = __builtin_LINE());

/// Sets the number of threads while it lives, and makes ParallelFor use all of them.
class ScopedNumThreads {
 public:
  explicit ScopedNumThreads(int count) : previous_(NumThreads()) { SetNumThreads(count); }
  ~ScopedNumThreads() { SetNumThreads(previous_); }
  ScopedNumThreads(const ScopedNumThreads&) = delete;
  ScopedNumThreads& operator=(const ScopedNumThreads&) = delete;

 private:
  int previous_;
  internal::AlwaysShare always_share_;
};

}  // namespace twofour::test
