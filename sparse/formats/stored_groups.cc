#include "twofour/sparse/formats/stored_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "twofour/core/ceil_div.h"
#include "twofour/core/error.h"
#include "twofour/sparse/vnm_pattern.h"

namespace twofour::sparse {
namespace {

constexpr int64_t kMostNeighboursStored = 32;

/// A bit for each of `count` elements from `x` on: whether it is not zero.
template <typename T>
uint32_t NonZeroBits(const T* x, int64_t count) {
  uint32_t bits = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (static_cast<ComputeType<T>>(x[i]) != ComputeType<T>{0}) bits |= uint32_t{1} << i;
  }
  return bits;
}

}  // namespace

void RequireStorable(const GroupPattern& pattern, const std::string& name) {
  if (pattern.n >= 1 && pattern.n <= pattern.m && pattern.m <= kMostNeighboursStored) return;
  throw Error(fmt::format("{}: pattern {}, expected N:M with 1 <= N <= M <= {}", name, pattern.ToString(),
                          kMostNeighboursStored));
}

void RequireStorable(const VnmPattern& pattern, const std::string& name) {
  if (FaultsOf(pattern, "").count() == 0) return;
  throw Error(
      fmt::format("{}: pattern {}:{}:{}, expected V:2:M with V a multiple of 4 from 4 to 256 and M from 5 to 32", name,
                  pattern.v, pattern.n, pattern.m));
}

void RequireStorable(const Tensor& weight, const std::string& name) {
  if (weight.defined() && weight.rank() == 2 && IsFloating(weight.dtype())) return;
  throw Error(fmt::format("{}: {}, expected a matrix of f64, f32, f16 or bf16", name, Describe(weight)));
}

uint32_t FilledUp(uint32_t places, int64_t n) {
  while (std::popcount(places) < n) places |= places + 1;  // Sets the lowest bit that is 0.
  return places;
}

void RequireValues(const Tensor& values, StoredValues kind, const Shape& shape, const std::string& name) {
  const bool bytes = kind == StoredValues::kBytes;
  const bool fits = values.defined() && values.shape() == shape &&
                    (bytes ? values.dtype() == DType::kI8 : IsFloating(values.dtype()));
  if (fits) return;
  throw Error(fmt::format("{}: values are {}, expected {} {}", name, Describe(values),
                          bytes ? "i8" : "f64, f32, f16 or bf16", ToString(shape)));
}

bool IsZero(const Tensor& values, int64_t at) {
  if (values.dtype() == DType::kI8) return values.data<int8_t>()[at] == 0;
  bool is_zero = false;
  DispatchFloating(values.dtype(), "IsZero", [&](auto zero) {
    using T = decltype(zero);
    is_zero = static_cast<ComputeType<T>>(values.data<T>()[at]) == ComputeType<T>{0};
  });
  return is_zero;
}

void ForEachGroupWithinPattern(const Tensor& weight, const GroupPattern& pattern, const std::string& name,
                               const std::function<void(int64_t row, int64_t group, uint32_t nonzeros)>& visit) {
  RequireStorable(pattern, name);
  RequireStorable(weight, name);
  const int64_t rows = weight.dim(0), cols = weight.dim(1), groups = CeilDiv(cols, pattern.m);
  DispatchFloating(weight.dtype(), name, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t group = 0; group < groups; ++group) {
        const int64_t begin = group * pattern.m, end = std::min(begin + pattern.m, cols);
        const uint32_t nonzeros = NonZeroBits(weight.data<T>() + row * cols + begin, end - begin);
        if (std::popcount(nonzeros) > pattern.n) {
          throw Error(fmt::format("{}: row {} has {} non-zeros in columns {} to {}, {} allows {}", name, row,
                                  std::popcount(nonzeros), begin, end - 1, pattern.ToString(), pattern.n));
        }
        visit(row, group, nonzeros);
      }
    }
  });
}

}  // namespace twofour::sparse
