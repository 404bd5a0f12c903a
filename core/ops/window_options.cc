#include "twofour/core/ops/window_options.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"

namespace twofour {
inline namespace ops {

using kernels::WindowAxis;
using kernels::WindowGrid;

namespace {

// Keeps every sum and product below in range.
constexpr int64_t kMaxSize = int64_t{1} << 30;

void RequireSize(std::string_view op, std::string_view name, const Size2d& size, int64_t least) {
  for (const int64_t value : {size.height, size.width}) {
    if (value < least || value > kMaxSize) {
      throw Error(
          fmt::format("{}: {} is {} x {}, expected sizes of {} to 2^30", op, name, size.height, size.width, least));
    }
  }
}

WindowAxis Axis(std::string_view op, std::string_view name, int64_t size, int64_t kernel, int64_t stride,
                int64_t padding, int64_t dilation) {
  // Below 2^60 + 1, because no size is above 2^30.
  const int64_t reach = dilation * (kernel - 1) + 1, padded = size + 2 * padding;
  if (reach > padded) {
    throw Error(fmt::format("{}: the {} of x is {}, with padding {}, expected at least {} for one window", op, name,
                            size, padded, reach));
  }
  return {size, (padded - reach) / stride + 1, kernel, stride, padding, dilation};
}

}  // namespace

WindowGrid MakeWindowGrid(std::string_view op, const Shape& x, const WindowOptions& options) {
  if (x.size() != 4) {
    throw Error(fmt::format("{}: x has shape {}, expected [batch, height, width, channels]", op, ToString(x)));
  }
  RequireSize(op, "the image", {x[1], x[2]}, 0);
  RequireSize(op, "kernel_size", options.kernel_size, 1);
  RequireSize(op, "stride", options.stride, 1);
  RequireSize(op, "padding", options.padding, 0);
  RequireSize(op, "dilation", options.dilation, 1);
  const Size2d &kernel = options.kernel_size, &stride = options.stride, &padding = options.padding;
  return {.images = x[0],
          .channels = x[3],
          .height = Axis(op, "height", x[1], kernel.height, stride.height, padding.height, options.dilation.height),
          .width = Axis(op, "width", x[2], kernel.width, stride.width, padding.width, options.dilation.width)};
}

}  // namespace ops
}  // namespace twofour
