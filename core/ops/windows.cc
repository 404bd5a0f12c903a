#include "twofour/core/ops/windows.h"

#include <fmt/format.h>

#include <limits>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/kernels/windows/max_pool.h"
#include "twofour/core/kernels/windows/unfold.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/ops/window_options.h"

namespace twofour {
inline namespace ops {

using kernels::WindowGrid;

Tensor Unfold(const Tensor& x, const WindowOptions& options) {
  ops::RequireDefined("Unfold", "x", x);
  const WindowGrid grid = MakeWindowGrid("Unfold", x.shape(), options);
  const int64_t columns = NumElements({grid.kernel(), grid.channels});  // Throws where window_size() would overflow.
  Tensor y = Tensor::Empty({grid.images, grid.height.out, grid.width.out, columns}, x.dtype());
  if (y.numel() > 0) kernels::Unfold(grid, static_cast<int64_t>(SizeOf(x.dtype())), x.raw(), y.mutable_raw());
  if (!IsFloating(x.dtype())) return y;
  autograd::Record("Unfold", {x}, y, [grid, shape = x.shape()](const Tensor& dy) {
    Tensor dx = Tensor::Empty(shape, dy.dtype());
    if (dx.numel() == 0) return std::vector<Tensor>{dx};
    DispatchFloating(dy.dtype(), "Unfold", [&](auto zero) {
      using T = decltype(zero);
      kernels::Fold<T>(grid, dy.data<T>(), dx.mutable_data<T>());
    });
    return std::vector<Tensor>{dx};
  });
  return y;
}

Tensor MaxPool2d(const Tensor& x, const WindowOptions& options) {
  ops::RequireFloating("MaxPool2d", "x", x);
  const WindowGrid grid = MakeWindowGrid("MaxPool2d", x.shape(), options);
  const Size2d &kernel = options.kernel_size, &padding = options.padding;
  if (padding.height > kernel.height / 2 || padding.width > kernel.width / 2) {
    throw Error(fmt::format("MaxPool2d: padding is {} x {}, expected half the kernel_size {} x {} at most",
                            padding.height, padding.width, kernel.height, kernel.width));
  }
  if (grid.kernel() > std::numeric_limits<int32_t>::max()) {
    throw Error(
        fmt::format("MaxPool2d: kernel_size is {} x {}, expected below 2^31 pixels", kernel.height, kernel.width));
  }
  const Shape shape = {grid.images, grid.height.out, grid.width.out, grid.channels};
  Tensor y = Tensor::Empty(shape, x.dtype()), place = Tensor::Empty(shape, DType::kI32);
  DispatchFloating(x.dtype(), "MaxPool2d", [&](auto zero) {
    using T = decltype(zero);
    if (y.numel() > 0) kernels::MaxPool<T>(grid, x.data<T>(), y.mutable_data<T>(), place.mutable_data<int32_t>());
  });
  autograd::Record("MaxPool2d", {x}, y, [grid, place, shape = x.shape()](const Tensor& dy) {
    Tensor dx = Tensor::Empty(shape, dy.dtype());
    if (dx.numel() == 0) return std::vector<Tensor>{dx};
    DispatchFloating(dy.dtype(), "MaxPool2d", [&](auto zero) {
      using T = decltype(zero);
      kernels::MaxPoolGrad<T>(grid, place.data<int32_t>(), dy.data<T>(), dx.mutable_data<T>());
    });
    return std::vector<Tensor>{dx};
  });
  return y;
}

}  // namespace ops
}  // namespace twofour
