#include "twofour/sparse/permutation/channel_order.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "twofour/core/error.h"
#include "twofour/core/parallel.h"

namespace twofour::sparse {

ChannelOrder IdentityOrder(int64_t size) {
  ChannelOrder order(static_cast<size_t>(size));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

void RequireOrder(const ChannelOrder& order, int64_t size, std::string_view name) {
  if (static_cast<int64_t>(order.size()) != size) {
    throw Error(fmt::format("{}: an order of {} channels, expected {}", name, order.size(), size));
  }
  std::vector<char> seen(order.size());
  for (size_t place = 0; place < order.size(); ++place) {
    const int64_t channel = order[place];
    if (channel < 0 || channel >= size) {
      throw Error(fmt::format("{}: place {} has channel {}, expected 0 to {}", name, place, channel, size - 1));
    }
    if (seen[static_cast<size_t>(channel)] != 0) {
      throw Error(fmt::format("{}: place {} has channel {} again, expected each channel once", name, place, channel));
    }
    seen[static_cast<size_t>(channel)] = 1;
  }
}

Tensor Reordered(const Tensor& tensor, int axis, const ChannelOrder& order) {
  if (tensor.rank() < 1 || tensor.rank() > 2) {
    throw Error(fmt::format("Reordered: {}, expected rank 1 or 2", Describe(tensor)));
  }
  RequireOrder(order, tensor.dim(axis), "Reordered");
  const bool along_columns = axis == tensor.rank() - 1 || axis == -1;
  const int64_t rows = along_columns ? tensor.rows() : tensor.dim(0);
  const int64_t cols = tensor.rank() == 2 ? tensor.dim(1) : tensor.numel();
  const auto size = static_cast<int64_t>(SizeOf(tensor.dtype()));
  Tensor reordered = Tensor::Empty(tensor.shape(), tensor.dtype());
  const std::byte* const from = tensor.raw();
  std::byte* const to = reordered.mutable_raw();
  ParallelFor(rows, RowGrain(cols), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      if (!along_columns) {
        std::copy_n(from + order[static_cast<size_t>(row)] * cols * size, cols * size, to + row * cols * size);
        continue;
      }
      for (int64_t col = 0; col < cols; ++col) {
        std::copy_n(from + (row * cols + order[static_cast<size_t>(col)]) * size, size, to + (row * cols + col) * size);
      }
    }
  });
  return reordered;
}

}  // namespace twofour::sparse
