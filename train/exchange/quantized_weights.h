#pragma once

#include <map>
#include <string>
#include <vector>

#include "twofour/core/io/safetensors.h"
#include "twofour/core/tensor.h"
#include "twofour/train/exchange/packed_tensors.h"
#include "twofour/train/exchange/quantized_weight.h"

// Weights of few bits in files. A weight takes one of the forms of packed_tensors.h: dense, packed, or, of int8 alone,
// packed-vnm. Its values then have another dtype, and beside it lie scales:
//
// | kind | values | other tensors |
// | --- | --- | --- |
// | int8 | I8 | X.weight_scale F32 [rows]: a number of row r is weight_scale[r] times its byte |
// | | | X.input_scale F32 [1], X.input_zero_point I8 [1]: an input is input_scale * (byte - input_zero_point) |
// | fp8 | F8_E4M3 | X.weight_scale F32 [rows], as of int8 |
// | nvfp4 | U8, two codes in a byte | X.weight_scale F8_E4M3 [rows, ceil(values / 16)], X.weight_scale_2 F32 [1]: a |
// | | | number is its code times both |
// | | | X.weight_shape I64 [2] of a dense weight with an odd number of columns |
//
// The range of inputs is only there where all inputs of a linear have one. Names and meaning of these tensors and a
// dense X.weight are those of compressed-tensors (int8) and of NVIDIA's ModelOpt (nvfp4). docs/formats.md says more.

namespace twofour::train {

struct QuantizedLinear {
  std::string name;  ///< "blocks.0.mlp.c_fc"
  QuantizedWeight weight;
  Tensor bias = {};  ///< As the file has it; undefined if it has none.
};

/// Appends the parts of the weight of the linear `name`. Throws Error, beginning with the tensor's name, where the form
/// cannot hold the weight.
void AppendQuantizedWeight(const std::string& name, const QuantizedWeight& weight, std::vector<NamedTensor>& out);

/// Takes the weights of few bits out of a file, which need not be trustworthy, and X.bias with each. Throws Error,
/// beginning with `source` and naming the tensor, where a part is missing or surplus, where parts do not fit together,
/// on scales that are no finite numbers above 0, on codes that are no numbers (-128, and NaNs of E4M3), on a weight
/// without entries, and on more than sparse::kMostInt8Columns columns of int8.
std::vector<QuantizedLinear> TakeQuantizedLinears(SafetensorsFile& file, const std::string& source);

/// Throws Error that names the first weight of few bits that has scales. Others mean something else to other programs.
void RequireNoQuantizedWeights(const SafetensorsFile& file, const std::string& source);

/// Puts f32 weights X.weight in the place of those of few bits that have their scales, and leaves out the ranges of
/// inputs. Other tensors of such names mean something else to other programs and stay. Otherwise throws as
/// TakeQuantizedLinears does; nothing is changed then. Returns how the weights were stored, by their names.
std::map<std::string, PackedWeightInfo> DequantizeTensors(SafetensorsFile& file, const std::string& source);

}  // namespace twofour::train
