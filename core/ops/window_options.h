#pragma once

#include <string_view>

#include "twofour/core/kernels/windows/window_grid.h"
#include "twofour/core/ops/windows.h"

namespace twofour {
inline namespace ops {

/// Where the windows lie over images x of shape [batch, height, width, channels]. Throws Error naming the op for
/// another shape, and as the ops on windows do.
kernels::WindowGrid MakeWindowGrid(std::string_view op, const Shape& x, const WindowOptions& options);

}  // namespace ops
}  // namespace twofour
