#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace twofour {

/// Sizes of a tensor's dimensions, outermost first. The empty shape is a scalar.
using Shape = std::vector<int64_t>;

/// Number of elements; 1 for a scalar. Throws Error on a negative size or when the product does not
/// fit.
int64_t NumElements(const Shape& shape);

/// "[2, 3]".
std::string ToString(const Shape& shape);

}  // namespace twofour
