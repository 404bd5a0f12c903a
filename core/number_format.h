#pragma once

#include <cstdint>
#include <string_view>

#include "twofour/core/faults.h"

namespace twofour {

/// A format of numbers of few bits, and how a matrix [rows, cols] is rounded to it: which elements share a scale, which
/// scales there are, and how what lies between two numbers is rounded. See quantize.h.
struct NumberFormat {
  enum class Kind : uint8_t {
    kBF16,   ///< bfloat16, without scales.
    kE4M3,   ///< Float8E4M3.
    kE5M2,   ///< Float8E5M2.
    kNvfp4,  ///< E2M1 (float4.h) in blocks of 16 along a row. A block has a scale of E4M3, the matrix one of f32.
  };
  enum class Granularity : uint8_t {
    kMatrix,  ///< One scale for all elements.
    kRow,     ///< One for each row.
    kBlock,   ///< One for each `block` neighbours along a row; the last block of a row may be shorter.
  };
  enum class ScaleType : uint8_t {
    kF32,  ///< The largest magnitude among the elements becomes the largest number of the format.
    /// The least power of two with which nothing is too large, as in DeepSeek-V3's ue8m0 scales. For kNvfp4, elements
    /// above 2e38 have the scale of kF32.
    kPowerOfTwo,
  };
  enum class Rounding : uint8_t {
    kNearestEven,  ///< To the nearest and, halfway between two, to the one whose last bit is 0.
    kStochastic,   ///< Up with a probability that is the distance from the number below, so that the mean is right.
  };

  Kind kind = Kind::kBF16;
  /// For kE4M3 and kE5M2, as is the next.
  Granularity granularity = Granularity::kMatrix;
  int64_t block = 32;
  ScaleType scale_type = ScaleType::kF32;  ///< Of kNvfp4, that of the matrix.
  Rounding rounding = Rounding::kNearestEven;

  friend bool operator==(const NumberFormat&, const NumberFormat&) = default;
};

/// Elements of a block of kNvfp4.
inline constexpr int64_t kNvfp4Block = 16;

/// Notes what is wrong. Scales of blocks must be powers of two: products are multiplied by the scales of a matrix or a
/// row in the end, but those of blocks have to go into the numbers, where only powers of two fit without rounding.
void Check(const NumberFormat& format, const FieldPath& at, Faults& faults);

/// "bf16", "e4m3", "e5m2" or "nvfp4".
std::string_view NameOf(NumberFormat::Kind kind);

}  // namespace twofour
