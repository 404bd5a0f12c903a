#pragma once

#include <cstdint>

#include "twofour/core/number_format.h"
#include "twofour/core/random.h"
#include "twofour/core/tensor.h"

namespace twofour {

// Rounding of matrices to formats of few bits, with scales (NumberFormat). An element x becomes the number of the
// format that x / scale is rounded to: x is multiplied by 1 / scale, which is rounded to f32 as the product is, as in
// NVIDIA's Transformer Engine. A scale comes from the largest finite magnitude among the elements that share it. It is
// 1 where they are all zero, and at least 2^-110 (7.7e-34). What lies beyond the largest number, because scales are
// given or because they are rounded, becomes the largest number.
//
// NVFP4 has a scale for the matrix, s = largest magnitude / (6 * 448), and one of E4M3 for each block of 16 neighbours
// along a row, b = largest magnitude in the block / 6 / s, rounded to the nearest from 2^-9 to 448. An element stands
// for its number of E2M1 times b times s (NVIDIA, "Pretraining large language models with NVFP4", 2025). Where this
// differs from others: compressed-tensors stores 1 / s as `weight_global_scale`, and 0.125 for b where that would be 0;
// its packed codes are the same as here.
//
// Stochastic rounding draws 16 random bits for each element, so probabilities are multiples of 2^-16, to which they are
// rounded. An element that is a number of the format never changes. The bits depend on the key and on the element's
// place in row-major order and not on threads; a band of rows that is rounded alone is rounded as within its matrix if
// `first_element` says where it begins.
//
// All functions are deterministic, give the same bits on all instruction sets, and record no gradients. Any number of
// threads may call them.

/// What Quantize and RoundTo take besides the format.
struct RoundingOptions {
  RandomKey key = {};         ///< For stochastic rounding; see random_streams::kFirstRounding.
  int64_t first_element = 0;  ///< Where the matrix begins in the one whose elements are counted.
  /// Scales to use in place of those from the elements: f32 [1], or [rows] for a scale of each row; for NVFP4 that of
  /// the matrix. From 2^-110 to what f32 holds after multiplication by the format's largest number. Not for kBF16 and
  /// kBlock.
  Tensor scales = {};
};

/// A matrix as files store it.
struct QuantizedMatrix {
  NumberFormat format;
  int64_t rows = 0, cols = 0;
  /// bf16, f8_e4m3 or f8_e5m2 [rows, cols]; u8 [rows, ceil(cols / 2)] for NVFP4, with two codes in a byte (float4.h).
  Tensor codes = {};
  /// For NVFP4, f8_e4m3 [rows, ceil(cols / 16)]; undefined for all others.
  Tensor block_scales = {};
  /// f32 [1], [rows], or [rows, ceil(cols / block)], by the granularity. An element is its code times this times the
  /// block scale. [1] with a 1 for kBF16.
  Tensor scales = {};
};

/// Rounds x, a matrix of f32 or bf16. Throws Error, saying which element, where one is not finite, and on a format or
/// scales that Check or RoundingOptions rule out.
QuantizedMatrix Quantize(const Tensor& x, const NumberFormat& format, const RoundingOptions& options = {});

/// The f32 matrix [rows, cols] that the codes stand for. Throws Error where the parts do not fit each other; codes that
/// are not finite stay so.
Tensor Dequantize(const QuantizedMatrix& matrix);

/// A matrix that was rounded and that products can read without rounding it once more.
struct RoundedMatrix {
  /// bf16 [rows, cols]: the numbers of the format, times the scales of their blocks.
  Tensor values;
  /// f32 [1], or [rows] for a scale of each row: what the values, or products of them, are still to be multiplied by.
  Tensor scales;
};

/// Rounds x, a matrix of f32 or bf16, to what Quantize would store (fake quantisation), for training and products that
/// emulate a format. NaNs and infinities stay what they are, so that whoever looks for them in results finds them; they
/// do not change the scales of others. Throws Error on a format or scales that Check or RoundingOptions rule out.
///
/// The values are exact in bf16, which has 8 significant bits and the exponents of f32. A number of E4M3 has 4
/// significant bits and lies from 2^-9 to 448, one of E5M2 has 3 and lies from 2^-16 to 57344. Powers of two from
/// 2^-110 on keep the bits and leave at least 2^-126, the least normal number. Where such a product would be larger
/// than 2^128, the number is the last below. One of E2M1 has 2 bits and a block scale 4, so their product has 6, from
/// 2^-10 to 2688. So a product of two such values is exact in f32.
RoundedMatrix RoundTo(const Tensor& x, const NumberFormat& format, const RoundingOptions& options = {});

}  // namespace twofour
