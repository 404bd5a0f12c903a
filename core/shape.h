#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace twofour {

/// Sizes of a tensor's dimensions, outermost first. The empty shape is a scalar.
using Shape = std::vector<int64_t>;

/// Number of elements; 1 for a scalar. Throws Error on a negative size or when the product does not
/// fit.
int64_t NumElements(const Shape& shape);

/// Any shape seen as [outer, size, inner] around one of its dimensions.
struct AroundAxis {
  AroundAxis(const Shape& shape, size_t axis);
  int64_t outer = 1, size, inner = 1;
};

/// "[2, 3]".
std::string ToString(const Shape& shape);

}  // namespace twofour
