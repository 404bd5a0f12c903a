#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "twofour/core/number_format.h"
#include "twofour/core/random.h"
#include "twofour/core/tensor.h"

namespace twofour::test {

// What the tests of core/quantize.h share.

using Kind = NumberFormat::Kind;
using Granularity = NumberFormat::Granularity;
using ScaleType = NumberFormat::ScaleType;

/// Every kind with every sort of scale, to the nearest even.
inline std::vector<NumberFormat> EveryFormat() {
  std::vector<NumberFormat> formats = {
      {Kind::kBF16}, {Kind::kNvfp4}, {Kind::kNvfp4, Granularity::kMatrix, 16, ScaleType::kPowerOfTwo}};
  for (const Kind kind : {Kind::kE4M3, Kind::kE5M2}) {
    for (const ScaleType type : {ScaleType::kF32, ScaleType::kPowerOfTwo}) {
      formats.push_back({kind, Granularity::kMatrix, 32, type});
      formats.push_back({kind, Granularity::kRow, 32, type});
    }
    for (const int64_t block : {1, 32, 50}) {
      formats.push_back({kind, Granularity::kBlock, block, ScaleType::kPowerOfTwo});
    }
  }
  return formats;
}

/// For messages.
inline std::string Words(const NumberFormat& format) {
  return std::string(NameOf(format.kind)) + " granularity " + std::to_string(static_cast<int>(format.granularity)) +
         " block " + std::to_string(format.block) + " scales " + std::to_string(static_cast<int>(format.scale_type));
}

/// A matrix whose elements, rows and columns differ in size, with some zeros.
inline Tensor Uneven(const Shape& shape, uint32_t stream) {
  RandomSequence random({.seed = 11, .stream = stream});
  Tensor x = Tensor::Empty(shape);
  for (int64_t row = 0; row < shape[0]; ++row) {
    for (int64_t col = 0; col < shape[1]; ++col) {
      const float size = std::ldexp(1.0f, static_cast<int>(row % 7 * 3) - static_cast<int>(col / 20 % 5) * 2);
      x.mutable_data<float>()[row * shape[1] + col] = random.Below(20) == 0 ? 0.0f : size * random.Normal();
    }
  }
  return x;
}

}  // namespace twofour::test
