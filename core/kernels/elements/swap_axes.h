#pragma once

#include <cstddef>
#include <cstdint>

namespace twofour::kernels {

/// to[o, j, k, i] = from[o, i, k, j] for `from` [outer, first, middle, second, inner] and `to` [outer, second, middle,
/// first, inner], where each element is a run of `inner` times `element_bytes`. element_bytes is 1, 2, 4 or 8. On all
/// threads. `to` must not overlap `from`.
void SwapAxes(int64_t element_bytes, int64_t outer, int64_t first, int64_t middle, int64_t second, int64_t inner,
              const std::byte* from, std::byte* to);

/// Copies `rows` runs of `bytes` bytes, whose beginnings are from_stride and to_stride bytes apart, on all threads.
void CopyRuns(int64_t rows, int64_t bytes, const std::byte* from, int64_t from_stride, std::byte* to,
              int64_t to_stride);

}  // namespace twofour::kernels
