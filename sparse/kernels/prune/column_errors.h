#pragma once

#include <cstdint>

namespace twofour::sparse {

/// How many errors AddErrors can take at once.
inline constexpr int kMostErrors = 4;
/// Columns below must have room for so many elements more than rows, rounded up: whole vectors are read and written.
inline constexpr int64_t kColumnRoom = 16;

/// Drops what is not kept of a column of a weight, and tells what is lost: where kept[row] is 0, lost = factor * w and
/// w = 0, elsewhere lost = 0.
void DropOfColumn(int64_t rows, float factor, const uint8_t* kept, float* w, float* lost);

/// w[row] += the sum over i < count of factors[i] * lost[i * pitch + row], in this order. `count` is 1 to kMostErrors.
void AddErrors(int64_t rows, int count, const float* factors, const float* lost, int64_t pitch, float* w);

}  // namespace twofour::sparse
