#include "twofour/sparse/low_bit_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "twofour/core/ceil_div.h"
#include "twofour/core/error.h"
#include "twofour/core/float4.h"
#include "twofour/core/float8.h"
#include "twofour/core/kernels/formats/scale_choice.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/low_bit/low_bit_matrix.h"

namespace twofour::sparse {
namespace {

constexpr int64_t kMostEntries = int64_t{1} << 48;

void RequirePart(std::string_view source, std::string_view name, const Tensor& part, DType dtype, const Shape& shape) {
  if (part.defined() && part.dtype() == dtype && part.shape() == shape) return;
  throw Error(fmt::format("{}: {} {}, expected {}", source, name, Describe(part), Describe(dtype, shape)));
}

void RequireNoPart(std::string_view source, std::string_view name, const Tensor& part) {
  if (part.defined()) throw Error(fmt::format("{}: {} {}, expected none", source, name, Describe(part)));
}

/// Calls `fits(byte)` for each byte, and throws what `expected` says at the first that does not.
template <typename T, typename Fits>
void RequireBytes(std::string_view source, std::string_view name, const Tensor& part, std::string_view expected,
                  const Fits& fits) {
  const T* const first = part.data<T>();
  const T* const found = std::find_if_not(first, first + part.numel(), fits);
  if (found == first + part.numel()) return;
  const int64_t at = found - first;
  throw Error(fmt::format("{}: {} at [{}, {}] of {}, expected {}", source, int{*found}, at / part.dim(1),
                          at % part.dim(1), name, expected));
}

void RequireScales(const LowBitParts& parts, std::string_view source) {
  const bool nvfp4 = parts.kind == LowBitKind::kNvfp4;
  RequirePart(source, "scales", parts.scales, DType::kF32, {nvfp4 ? 1 : parts.rows});
  for (int64_t i = 0; i < parts.scales.numel(); ++i) {
    const float scale = parts.scales.data<float>()[i];
    if (scale > 0 && std::isfinite(scale * LargestNumber(parts.kind))) continue;
    throw Error(fmt::format("{}: scale {} is {}, expected a number above 0 with which all values are finite", source, i,
                            scale));
  }
}

void RequireCodes(const LowBitParts& parts, int64_t values, std::string_view source) {
  switch (parts.kind) {
    case LowBitKind::kInt8:
      RequirePart(source, "codes", parts.codes, DType::kI8, {parts.rows, values});
      return RequireBytes<int8_t>(source, "codes", parts.codes, "-127 to 127",
                                  [](int8_t code) { return code != -128; });
    case LowBitKind::kE4M3:
      RequirePart(source, "codes", parts.codes, DType::kU8, {parts.rows, values});
      return RequireBytes<uint8_t>(source, "codes", parts.codes, "bytes of E4M3 that are no NaNs",
                                   [](uint8_t code) { return (code & 127) != 127; });
    case LowBitKind::kNvfp4:
      break;
  }
  RequirePart(source, "codes", parts.codes, DType::kU8, {parts.rows, CeilDiv(values, int64_t{2})});
}

/// The code of a value.
uint8_t CodeOf(const LowBitParts& parts, int64_t row, int64_t value) {
  const auto* const bytes = reinterpret_cast<const uint8_t*>(parts.codes.raw()) + row * parts.codes.dim(1);
  if (parts.kind != LowBitKind::kNvfp4) return bytes[value];
  return static_cast<uint8_t>(bytes[value / 2] >> value % 2 * 4 & 15);
}

/// The places of all groups, and that there is nothing where there are no columns.
void RequirePlaces(const LowBitParts& parts, int64_t values, std::string_view source) {
  const int64_t groups = values / 2, row_bytes = CeilDiv(groups, int64_t{2});
  RequirePart(source, "positions", parts.positions, DType::kU8, {parts.rows, row_bytes});
  if (groups == 0) return;                                   // There may nevertheless be very many rows.
  const bool signed_zero = parts.kind != LowBitKind::kInt8;  // Any zero is nothing.
  for (int64_t row = 0; row < parts.rows; ++row) {
    const uint8_t* const bytes = parts.positions.data<uint8_t>() + row * row_bytes;
    for (int64_t group = 0; group < groups; ++group) {
      const int places = bytes[group / 2] >> group % 2 * 4, first = places & 3, second = places >> 2 & 3;
      if (first >= second) {
        throw Error(fmt::format("{}: positions {} and {} of group {} of row {}, expected two that ascend", source,
                                first, second, group, row));
      }
      for (const int64_t which : {0, 1}) {
        const int64_t col = 4 * group + (which == 0 ? first : second);
        const int code = CodeOf(parts, row, 2 * group + which);
        const int magnitude = signed_zero ? code & (parts.kind == LowBitKind::kNvfp4 ? 7 : 127) : code;
        if (col < parts.cols || magnitude == 0) continue;
        throw Error(
            fmt::format("{}: row {} has a value other than 0 in column {} of {}", source, row, col, parts.cols));
      }
    }
    if (groups % 2 == 1 && bytes[row_bytes - 1] >> 4 != 0) {
      throw Error(fmt::format("{}: bits after the last position of row {}, expected none", source, row));
    }
  }
}

}  // namespace

float LargestNumber(LowBitKind kind) {
  switch (kind) {
    case LowBitKind::kInt8:
      return 127;
    case LowBitKind::kE4M3:
      return Float8E4M3::kLargest;
    case LowBitKind::kNvfp4:
      break;
  }
  return kernels::kNvfp4Largest;
}

bool HasLowBitForm(const MaskFormat& format) {
  return format == MaskFormat::Dense() || IsTwoOfFour(format) || format == MaskFormat::Rows(2, 4);
}

std::string_view NameOf(LowBitKind kind) { return std::ranges::find(kLowBitKinds, kind, &LowBitKindName::kind)->name; }

std::optional<LowBitKind> FindLowBitKind(std::string_view name) {
  const auto* const found = std::ranges::find(kLowBitKinds, name, &LowBitKindName::name);
  return found == kLowBitKinds.end() ? std::nullopt : std::optional(found->kind);
}

float NumberOf(LowBitKind kind, uint8_t code) {
  switch (kind) {
    case LowBitKind::kInt8:
      return static_cast<float>(static_cast<int8_t>(code));
    case LowBitKind::kE4M3:
      return static_cast<float>(Float8E4M3::FromBits(code));
    case LowBitKind::kNvfp4:
      break;
  }
  return E2M1ToFloat(code);
}

Tensor ToE4M3Bits(const Tensor& numbers) {
  Tensor bits = Tensor::Empty(numbers.shape(), DType::kU8);
  const Float8E4M3* const from = numbers.data<Float8E4M3>();
  std::transform(from, from + numbers.numel(), bits.mutable_data<uint8_t>(),
                 [](Float8E4M3 number) { return number.bits(); });
  return bits;
}

Tensor FromE4M3Bits(const Tensor& bits) {
  Tensor numbers = Tensor::Empty(bits.shape(), DType::kF8E4M3);
  const uint8_t* const from = bits.data<uint8_t>();
  std::transform(from, from + bits.numel(), numbers.mutable_data<Float8E4M3>(), Float8E4M3::FromBits);
  return numbers;
}

void RequireLowBitParts(const LowBitParts& parts, std::string_view source) {
  const auto& [kind, format, rows, cols, codes, positions, block_scales, scales] = parts;
  const bool two_of_four = format != MaskFormat::Dense();
  if (!HasLowBitForm(format)) {
    throw Error(
        fmt::format("{}: pattern {}, expected dense, 2:4 along rows or 2:4 both ways", source, format.ToString()));
  }
  if (rows < 0 || cols < 0 || (cols > 0 && rows > kMostEntries / cols)) {
    throw Error(fmt::format("{}: shape [{}, {}], expected at most 2^48 entries", source, rows, cols));
  }
  const int64_t values = LowBitMatrix::StoredValues(two_of_four, cols);
  RequireScales(parts, source);
  RequireCodes(parts, values, source);
  if (kind == LowBitKind::kNvfp4) {
    RequirePart(source, "block_scales", block_scales, DType::kU8, {rows, CeilDiv(values, kLowBitSpanValues)});
    RequireBytes<uint8_t>(source, "block_scales", block_scales, "bytes of E4M3 above 0",
                          [](uint8_t scale) { return scale > 0 && scale < 127; });
    for (int64_t row = 0; row < rows && values % 2 == 1; ++row) {
      const uint8_t last = codes.data<uint8_t>()[(row + 1) * codes.dim(1) - 1];
      if (last >> 4 != 0) throw Error(fmt::format("{}: a code after the last one of row {}", source, row));
    }
  } else {
    RequireNoPart(source, "block_scales", block_scales);
  }
  if (two_of_four) {
    RequirePlaces(parts, values, source);
  } else {
    RequireNoPart(source, "positions", positions);
  }
}

Tensor Dequantize(const LowBitParts& parts) {
  RequireLowBitParts(parts, "Dequantize");
  Tensor matrix = Tensor::Zeros({parts.rows, parts.cols});
  if (matrix.numel() == 0) return matrix;  // It may nevertheless have very many rows.
  const bool two_of_four = parts.positions.defined(), nvfp4 = parts.kind == LowBitKind::kNvfp4;
  const int64_t values = LowBitMatrix::StoredValues(two_of_four, parts.cols);
  float* const to = matrix.mutable_data<float>();
  ParallelFor(parts.rows, RowGrain(parts.cols), [&, to](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float scale = parts.scales.data<float>()[nvfp4 ? 0 : row];
      for (int64_t i = 0; i < values; ++i) {
        int64_t col = i;
        if (two_of_four) {
          const uint8_t places = parts.positions.data<uint8_t>()[row * parts.positions.dim(1) + i / 4];
          col = i / 2 * 4 + (places >> i % 4 * 2 & 3);
          if (col >= parts.cols) continue;
        }
        float number = NumberOf(parts.kind, CodeOf(parts, row, i));
        if (nvfp4) {
          const int64_t at = row * parts.block_scales.dim(1) + i / kLowBitSpanValues;
          number *= static_cast<float>(Float8E4M3::FromBits(parts.block_scales.data<uint8_t>()[at]));
        }
        to[row * parts.cols + col] = number * scale;
      }
    }
  });
  return matrix;
}

}  // namespace twofour::sparse
