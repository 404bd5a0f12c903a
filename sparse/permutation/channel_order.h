#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "twofour/core/tensor.h"

namespace twofour::sparse {

/// Where channels go: place i gets what was channel order[i].
using ChannelOrder = std::vector<int64_t>;

/// 0, 1, ..., size - 1.
ChannelOrder IdentityOrder(int64_t size);

/// Throws Error, naming `name`, unless the order has `size` entries and each of 0 to size - 1 is one of them.
void RequireOrder(const ChannelOrder& order, int64_t size, std::string_view name);

/// A copy whose slices along `axis` stand in this order. Any dtype, and rank 1 or 2. Throws Error on another rank, and
/// on an order that RequireOrder refuses.
Tensor Reordered(const Tensor& tensor, int axis, const ChannelOrder& order);

}  // namespace twofour::sparse
