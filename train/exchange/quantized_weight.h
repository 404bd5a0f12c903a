#pragma once

#include <optional>
#include <string>
#include <variant>

#include "twofour/core/tensor.h"
#include "twofour/sparse/int8_weight.h"
#include "twofour/sparse/low_bit_parts.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/mask_format.h"
#include "twofour/train/exchange/packed_tensors.h"

namespace twofour::train {

/// A weight of int8, whose inputs may be bytes, too.
struct MaskedInt8Matrix {
  sparse::Int8Matrix matrix;  ///< The whole matrix, with zeros where the mask drops.
  sparse::Mask mask;          ///< What is stored: an entry that was rounded to 0 is kept nevertheless.
  sparse::MaskFormat format;  ///< Of the mask.
  std::optional<sparse::Int8Range> activation = {};
};

/// A linear's weight as files hold it. LowBitParts are those of all kinds but int8.
using QuantizedWeight = std::variant<MaskedInt8Matrix, sparse::LowBitParts>;

sparse::LowBitKind KindOf(const QuantizedWeight& weight);

/// Of its mask. LowBitParts that a file held do not know whether 2:4 holds both ways.
const sparse::MaskFormat& MaskFormatOf(const QuantizedWeight& weight);

/// `format` if the mask has it, and unstructured if not.
sparse::MaskFormat FormatThatHolds(const sparse::Mask& mask, const sparse::MaskFormat& format);

/// Whether files hold weights of this kind with masks of this format: of int8 all, and of the others those that are
/// stored dense (unstructured, blocks) or as 2:4.
bool HasFileForm(sparse::LowBitKind kind, const sparse::MaskFormat& format);

/// Rounds what `mask` keeps of an f32 weight to `kind`. A mask that does not have `format` counts as unstructured.
/// int8: see QuantizeToInt8. Others are as RoundToFewBits has them, dense with zeros for a mask that is not 2:4. Throws
/// Error, beginning with `name`, on numbers that are not finite and on formats that have no form.
QuantizedWeight Quantize(const Tensor& weight, const sparse::Mask& mask, const sparse::MaskFormat& format,
                         sparse::LowBitKind kind, const std::string& name);

/// The same for int8: see QuantizeRows.
MaskedInt8Matrix QuantizeToInt8(const Tensor& weight, const sparse::Mask& mask, const sparse::MaskFormat& format,
                                const std::string& name);

/// The numbers that the weight stands for, f32 [rows, cols].
Tensor Dequantize(const QuantizedWeight& weight);

/// How files hold it: kDense, kPacked or kPackedVnm. Of int8 that is the form that takes the fewest bytes.
WeightForm FormOf(const QuantizedWeight& weight);

}  // namespace twofour::train
