#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/io/safetensors.h"
#include "twofour/core/tensor.h"
#include "twofour/nn/packed_linears.h"
#include "twofour/sparse/low_bit_parts.h"
#include "twofour/sparse/mask_format.h"

// Weights in files in other forms than a dense matrix. In place of X.weight, a file then holds the parts of a form:
//
// | form | parts |
// | --- | --- |
// | packed (sparse/formats/packed_groups.h) | X.weight_values, X.weight_positions, X.weight_pattern |
// | packed-vnm (sparse/formats/packed_vnm.h) | X.weight_vnm_values, ..._positions, ..._columns, ..._pattern |
// | sparse24-bitmask (sparse/formats/bitmask24.h) | X.compressed, X.bitmask, X.shape |
// | semi-structured (sparse/formats/semi_structured.h) | X.weight_packed, X.weight_meta |
//
// Values of the first two forms, and dense weights, may also be of few bits: see quantized_weights.h.

namespace twofour::train {

enum class WeightForm { kDense, kPacked, kPackedVnm, kBitmask24, kSemiStructured };

/// "dense", "packed", "packed-vnm", "sparse24-bitmask", "semi-structured".
std::string_view NameOf(WeightForm form);

/// Appends the parts of a weight named X.weight, or the weight itself for kDense. `pattern` is n:m along rows for
/// kPacked and V:N:M for kPackedVnm; the last two forms are 2:4. Throws Error, beginning with the tensor's name, where
/// the form cannot hold the weight.
void AppendWeight(const NamedTensor& weight, WeightForm form, const sparse::MaskFormat& pattern,
                  std::vector<NamedTensor>& out);

/// How a file holds a weight in parts.
struct PackedWeightInfo {
  WeightForm form;
  std::string pattern;  ///< "2:4", "64:2:8".
  uint64_t bytes = 0;   ///< Of all its parts.
  /// What its values are rounded to, if they have scales: see quantized_weights.h. Also of dense ones.
  std::optional<sparse::LowBitKind> kind = {};
};

/// Puts dense weights X.weight in the place of the parts in a file, which need not be trustworthy. Throws Error,
/// beginning with `source` and naming the tensor, where a part is missing or the parts do not fit together, and where
/// X.weight is there, too; nothing is changed then. Returns what those weights were packed as, by their names. Weights
/// of few bits become f32: see DequantizeTensors.
std::map<std::string, PackedWeightInfo> UnpackTensors(SafetensorsFile& file, const std::string& source);

/// Takes the weights out of a file that products read as they are packed (kPacked and kPackedVnm), and X.bias with
/// each. No dense matrix is made of them. Their values become bf16 where the file has them as bf16 or `activations` is
/// bf16, and f32 otherwise. Weights of few bits become dense. Throws Error as UnpackTensors does, and on values that
/// are not finite.
std::vector<nn::PackedLinear> TakePackedLinears(SafetensorsFile& file, const std::string& source, DType activations);

}  // namespace twofour::train
