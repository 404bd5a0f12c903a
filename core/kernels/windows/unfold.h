#pragma once

#include <cstddef>
#include <cstdint>

#include "twofour/core/dtype.h"
#include "twofour/core/kernels/windows/window_grid.h"

namespace twofour::kernels {

// Images are [images, height, width, channels], and what windows cover is [windows, kernel height, kernel width,
// channels] (im2col: Chellapilla et al., "High Performance Convolutional Neural Networks for Document Processing",
// 2006). On all threads.

/// Copies what each window covers, with zeros for padding. An element has `element_bytes` bytes, and the one whose
/// bytes are all 0 must be zero.
void Unfold(const WindowGrid& grid, int64_t element_bytes, const std::byte* images, std::byte* windows);

/// The adjoint of Unfold: each element of `images` becomes the sum of the elements that Unfold copies it to. T is
/// float, double, Float16 or BFloat16; those of 16 bits add up in float and are rounded once.
template <typename T>
void Fold(const WindowGrid& grid, const T* windows, T* images);

}  // namespace twofour::kernels
