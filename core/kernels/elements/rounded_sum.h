#pragma once

#include <cstdint>
#include <span>

namespace twofour::kernels {

/// out = the sum of the `terms`, of n elements each, added in float in their order and rounded once, on all threads. T
/// is Float16 or BFloat16. There is at least one term, and `out` may be one of them.
template <typename T>
void RoundedSum(int64_t n, std::span<const T* const> terms, T* out);

}  // namespace twofour::kernels
