#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "twofour/core/tensor.h"
#include "twofour/sparse/int8_weight.h"
#include "twofour/sparse/kernels/low_bit/low_bit_layout.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/mask_format.h"

namespace twofour::sparse {

/// A weight [rows, cols] of few bits as a file holds it. Of a row, a dense weight stores all columns, and a 2:4 weight
/// two of each group of four columns, ceil(cols / 4) groups: these are its values, in their order.
struct LowBitParts {
  LowBitKind kind = LowBitKind::kInt8;
  MaskFormat format;  ///< Dense, 2:4 along rows or 2:4 both ways.
  int64_t rows = 0, cols = 0;
  /// i8 [rows, values] of kInt8, -127 to 127; u8 [rows, values], bytes of Float8E4M3 and no NaNs, of kE4M3; u8 [rows,
  /// ceil(values / 2)] of kNvfp4, with two codes in a byte, the first one in its lower half (float4.h).
  Tensor codes;
  /// Of 2:4: u8 [rows, ceil(groups / 2)], the places of a row's values in their groups as PackedGroups has them: 2 bits
  /// each, from the lowest bits of the first byte on. Places of a group ascend. Undefined for a dense weight.
  Tensor positions;
  /// Of kNvfp4: u8 [rows, ceil(values / 16)], bytes of Float8E4M3 above 0, for 16 values each. Else undefined.
  Tensor block_scales;
  /// f32 [rows], of kNvfp4 [1]; above 0, and LargestNumber times this is finite. An element is its code times this and
  /// the block's scale.
  Tensor scales;
};

/// All kinds and their names in options, configs and reports.
struct LowBitKindName {
  LowBitKind kind;
  std::string_view name;
};
inline constexpr std::array<LowBitKindName, 3> kLowBitKinds = {
    {{LowBitKind::kInt8, "int8"}, {LowBitKind::kE4M3, "fp8"}, {LowBitKind::kNvfp4, "nvfp4"}}};

/// "int8", "fp8" or "nvfp4".
std::string_view NameOf(LowBitKind kind);
/// The kind of that name, if there is one.
std::optional<LowBitKind> FindLowBitKind(std::string_view name);

/// What a code stands for, without scales. A code of int8 is its byte.
float NumberOf(LowBitKind kind, uint8_t code);

/// The largest that a number of this kind can be before it is multiplied by the scale of its row or weight.
float LargestNumber(LowBitKind kind);

/// The bits of a tensor of f8_e4m3 as u8, as LowBitParts has them, and back.
Tensor ToE4M3Bits(const Tensor& numbers);
Tensor FromE4M3Bits(const Tensor& bits);

/// Prunes f32 `weight` [rows, cols] by the mask, and then rounds what is kept, to nearest even. int8: the scale of a
/// row is its largest magnitude / 127 (QuantizeRows). E4M3: its largest magnitude / 448, and at least 2^-110. NVFP4, of
/// 16 kept values each: as Quantize of core/quantize.h has it. A group of 2:4 that keeps fewer than two is filled up
/// with zeros. Throws Error on other shapes, dtypes and formats, on elements that are not finite, and where a group
/// keeps more than two.
LowBitParts RoundToFewBits(const Tensor& weight, const Mask& mask, const MaskFormat& format, LowBitKind kind,
                           std::string_view name = "weight");

/// Whether LowBitParts can hold weights with masks of a format.
bool HasLowBitForm(const MaskFormat& format);

/// A matrix that was rounded to bytes before: what the mask keeps of it, with its own scales. Throws Error as
/// RequireInt8Matrix and RoundToFewBits do.
LowBitParts LowBitPartsOf(const Int8Matrix& matrix, const Mask& mask, const MaskFormat& format,
                          std::string_view name = "weight");

/// Throws Error, beginning with `source`, unless the parts are as LowBitParts says. They need not be trustworthy.
void RequireLowBitParts(const LowBitParts& parts, std::string_view source);

/// The f32 matrix [rows, cols] that the parts stand for, 0 where nothing is stored. Throws as RequireLowBitParts does.
Tensor Dequantize(const LowBitParts& parts);

}  // namespace twofour::sparse
