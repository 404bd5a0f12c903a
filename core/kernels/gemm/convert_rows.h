#pragma once

#include <cstdint>

#include "twofour/core/convert_element.h"
#include "twofour/core/parallel.h"

namespace twofour::kernels {

/// Converts the elements of a row-major matrix [rows, cols], on several threads. The strides are in elements, from one
/// row to the next.
template <typename From, typename To>
void ConvertRows(int64_t rows, int64_t cols, const From* from, int64_t from_stride, To* to, int64_t to_stride) {
  ParallelFor(rows, RowGrain(cols), [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const From* const source = from + row * from_stride;
      To* const target = to + row * to_stride;
      for (int64_t col = 0; col < cols; ++col) target[col] = ConvertElement<To>(source[col]);
    }
  });
}

}  // namespace twofour::kernels
