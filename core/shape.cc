#include "twofour/core/shape.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "twofour/core/error.h"

namespace twofour {

int64_t NumElements(const Shape& shape) {
  // Bounded well below 2^63 so that bytes and flattened offsets cannot overflow either.
  constexpr int64_t kMaxElements = int64_t{1} << 48;
  int64_t count = 1;
  bool empty = false;
  for (int64_t size : shape) {
    if (size < 0) throw Error(fmt::format("shape {}: sizes must not be negative", ToString(shape)));
    empty = empty || size == 0;
    // Sizes beside a zero are bounded, too, because products of some of them (rows) are taken elsewhere.
    const int64_t factor = size == 0 ? 1 : size;
    if (factor > kMaxElements / count) throw Error(fmt::format("shape {}: more than 2^48 elements", ToString(shape)));
    count *= factor;
  }
  return empty ? 0 : count;
}

AroundAxis::AroundAxis(const Shape& shape, size_t axis) : size(shape[axis]) {
  for (size_t i = 0; i < axis; ++i) outer *= shape[i];
  for (size_t i = axis + 1; i < shape.size(); ++i) inner *= shape[i];
}

std::string ToString(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

}  // namespace twofour
