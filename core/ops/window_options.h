#pragma once

#include <string_view>

#include "twofour/core/kernels/windows/window_grid.h"
#include "twofour/core/ops/windows.h"

namespace twofour {
inline namespace ops {

/// Where the windows lie over the images x [batch, height, width, channels]. Throws Error naming the op for another x,
/// and as the ops on windows do.
kernels::WindowGrid MakeWindowGrid(std::string_view op, const Tensor& x, const WindowOptions& options);

}  // namespace ops
}  // namespace twofour
