#pragma once

#include <cstdint>

#include "twofour/core/half.h"
#include "twofour/core/number_format.h"
#include "twofour/core/random.h"

namespace twofour::kernels {

/// How RoundMatrix rounds.
struct MatrixRounding {
  NumberFormat format;
  /// For stochastic rounding: element i of the matrix draws number first_element + i of the key's numbers of 16 bits.
  RandomKey key = {};
  int64_t first_element = 0;
  /// Whether values are multiplied by the scales of their blocks.
  bool fold_block_scales = true;
  /// The scales of a matrix or of its rows, if not from its elements; null otherwise.
  const float* given_scales = nullptr;
};

/// Where RoundMatrix writes.
struct RoundedMatrixPointers {
  BFloat16* values;     ///< [rows, cols]
  float* scales;        ///< [1], or [rows] for a scale of each row. Not written where there is none.
  float* block_scales;  ///< [rows, blocks] where the format has scales of blocks, or null.
};

/// Rounds x [rows, cols] as RoundTo (core/quantize.h) says, on all threads. T is float or BFloat16.
template <typename T>
void RoundMatrix(const MatrixRounding& how, int64_t rows, int64_t cols, const T* x, const RoundedMatrixPointers& out);

}  // namespace twofour::kernels
