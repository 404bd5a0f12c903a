#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "twofour/core/io/safetensors.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/int8_weight.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/mask_format.h"
#include "twofour/train/exchange/packed_tensors.h"

// Weights of 8 bits in files. A weight takes one of the forms of packed_tensors.h (dense, packed or packed-vnm), whose
// values are then I8, and beside it lie
//
// | tensor | holds |
// | --- | --- |
// | X.weight_scale | F32 [rows]: a number of row r is weight_scale[r] times its byte |
// | X.input_scale | F32 [1], X.input_zero_point I8 [1]: an input is input_scale * (byte - input_zero_point) |
//
// The last two are there only where all inputs of a linear have one range. Their names and meaning, and a dense
// X.weight, are those of compressed-tensors.

namespace twofour::train {

/// A linear's weight as files hold it.
struct QuantizedWeight {
  sparse::Int8Matrix matrix;  ///< The whole matrix, with zeros where the mask drops.
  sparse::Mask mask;          ///< What is stored: an entry that was rounded to 0 is kept nevertheless.
  sparse::MaskFormat format;  ///< Of the mask.
  std::optional<sparse::Int8Range> activation = {};
};

struct QuantizedLinear {
  std::string name;  ///< "blocks.0.mlp.c_fc"
  QuantizedWeight weight;
  Tensor bias = {};  ///< As the file has it; undefined if it has none.
};

/// Rounds what `mask` keeps of an f32 weight: see QuantizeRows. A mask that does not have `format` counts as
/// unstructured.
QuantizedWeight Quantize(const Tensor& weight, const sparse::Mask& mask, const sparse::MaskFormat& format,
                         const std::string& name);

/// The numbers that the bytes stand for, f32 [rows, cols].
Tensor Dequantize(const QuantizedWeight& weight);

/// The form that takes the fewest bytes: kDense, kPacked or kPackedVnm.
WeightForm FormOf(const QuantizedWeight& weight);

/// Appends the parts of the weight of the linear `name`. Throws Error, beginning with the tensor's name, where the form
/// cannot hold the weight.
void AppendQuantizedWeight(const std::string& name, const QuantizedWeight& weight, std::vector<NamedTensor>& out);

/// Takes the weights of 8 bits out of a file, which need not be trustworthy, and X.bias with each. Throws Error,
/// beginning with `source` and naming the tensor, where a part is missing or surplus, where parts do not fit together,
/// on scales that are no finite numbers above 0, on the value -128, on a weight without entries, and on more than
/// sparse::kMostInt8Columns columns.
std::vector<QuantizedLinear> TakeQuantizedLinears(SafetensorsFile& file, const std::string& source);

/// Throws Error that names the first weight of 8 bits that has scales. Others mean something else to other programs.
void RequireNoQuantizedWeights(const SafetensorsFile& file, const std::string& source);

/// Puts f32 weights X.weight in the place of those of 8 bits that have a scale, and leaves out the ranges of inputs.
/// Other tensors of such names mean something else to other programs and stay. Otherwise throws as TakeQuantizedLinears
/// does; nothing is changed then. Returns how the weights were stored, by their names.
std::map<std::string, PackedWeightInfo> DequantizeTensors(SafetensorsFile& file, const std::string& source);

}  // namespace twofour::train
