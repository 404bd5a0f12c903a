#pragma once

#include <cstdint>

#include "twofour/core/dtype.h"
#include "twofour/core/kernels/windows/window_grid.h"

namespace twofour::kernels {

// T is float, double, Float16 or BFloat16. On all threads.

/// The largest element under each window for each channel: images [images, height, width, channels], largest [windows,
/// channels]. Of equal ones the first counts, and the first NaN counts as the largest. Padding never counts. `place`
/// [windows, channels] keeps which of the kernel's elements it was, counted row by row. A window of padding alone gives
/// -infinity and the place -1.
template <typename T>
void MaxPool(const WindowGrid& grid, const T* images, T* largest, int32_t* place);

/// The gradient of the images: each element gets the sum of the gradients of the windows that it was the largest of.
/// Those of 16 bits add up in float and are rounded once.
template <typename T>
void MaxPoolGrad(const WindowGrid& grid, const int32_t* place, const T* grad, T* images_grad);

}  // namespace twofour::kernels
